import { basename } from 'node:path'
import type { AdminClient, Entry } from '@picket/rpc'
import { codeOf } from '@picket/runtime'
import type { Command } from 'commander'
import { usageList } from '../arguments.ts'
import type { CliContext } from '../context.ts'
import { CliError } from '../error.ts'
import { readAtMost, readFileAtMost } from '../input-file.ts'
import { addOperatorFlags, asOperator } from '../operator.ts'
import type { Listing } from '../output.ts'
import { examples, outputOf } from '../program.ts'
import { parseEntriesFile, toDesired, type WantedEntry } from './apply-file.ts'
import { planEntries, type Plan, type PlanAction } from './apply-plan.ts'

interface ApplyOptions {
  readonly file: readonly string[]
  readonly plan: boolean
  readonly prune: boolean
}

const MAX_FILE_BYTES = 64 * 1024 * 1024

export function configureApply(command: Command, context: CliContext): void {
  command
    .requiredOption(
      '-f, --file <FILE>',
      'YAML or JSON with entries, - for standard input (repeatable)',
      usageList(String),
    )
    .option('--plan', 'change nothing: show what would change, and end with 1 when there is anything', false)
    .option('--prune', 'also delete the entries that are in no file', false)
    .action(async ({ file, plan: planOnly, prune }: ApplyOptions, self: Command) => {
      const wanted = await readFiles(file, context)
      if (prune && wanted.length === 0) {
        throw new CliError('ERR_CONFIG_FILE', `${file.join(' ')}: no entries: --prune would delete all there are`)
      }
      const output = outputOf(self, context)
      const plan = await asOperator(self, context, async ({ admin, trustDomain }) => {
        const desired = toDesired(wanted, trustDomain)
        const { entries, revision } = await listAll(admin)
        const planned = planEntries(desired, entries, prune)
        const changes = planned.changes.flatMap(({ change }) => change ?? [])
        if (!planOnly && changes.length > 0)
          await admin.applyEntries({ expectedRevision: revision, changes }, LONG_CALL)
        return planned
      })
      output.list(listingOf(plan))
      output.note(summaryOf(plan, planOnly))
      if (planOnly && plan.changes.length > 0) context.exitCode = 1
    })
  examples(
    addOperatorFlags(command),
    'picket apply -f entries.yaml --plan',
    'picket apply -f entries.yaml',
    'picket apply -f payments.yaml -f ledger.yaml --prune -o json',
  )
}

const LONG_CALL = { deadlineMs: 60_000 }

async function readFiles(files: readonly string[], context: CliContext): Promise<readonly WantedEntry[]> {
  const wanted: WantedEntry[] = []
  for (const file of files) {
    const name = file === '-' ? 'standard input' : basename(file)
    wanted.push(...parseEntriesFile(await readText(file, name, context), name))
  }
  return wanted
}

async function readText(file: string, name: string, { stdin }: CliContext): Promise<string> {
  try {
    const bytes = file === '-' ? readAtMost(stdin, MAX_FILE_BYTES, name) : readFileAtMost(file, MAX_FILE_BYTES)
    return (await bytes).toString('utf8')
  } catch (cause) {
    if (cause instanceof CliError) throw cause
    const why = codeOf(cause) === 'ENOENT' ? 'there is no such file' : `it cannot be read (${codeOf(cause) ?? 'error'})`
    throw new CliError('ERR_CONFIG_FILE', `${file}: ${why}`, { cause })
  }
}

const LISTINGS = 5

/** Every entry at one revision: a change between two pages makes another round. */
async function listAll(
  admin: Pick<AdminClient, 'listEntries'>,
): Promise<{ readonly entries: readonly Entry[]; readonly revision: number }> {
  for (let attempt = 1; attempt <= LISTINGS; attempt++) {
    const entries: Entry[] = []
    const revisions = new Set<number>()
    let pageToken = ''
    do {
      const page = await admin.listEntries({ pageSize: 1000, pageToken })
      entries.push(...page.entries)
      revisions.add(page.revision)
      pageToken = page.nextPageToken
    } while (pageToken !== '')
    if (revisions.size === 1) return { entries, revision: [...revisions][0]! }
  }
  throw new CliError('ERR_INPUT', 'the entries keep changing while they are read: try again')
}

type ChangeItem = {
  readonly action: PlanAction
  readonly id: string | null
  readonly spiffeId: string
  readonly selectors: readonly string[]
  readonly differences: readonly string[]
}

function listingOf({ changes }: Plan): Listing<ChangeItem> {
  return {
    kind: 'EntryPlan',
    items: changes.map(({ action, id, spiffeId, selectors, differences }) => {
      return { action, id: id === '' ? null : id, spiffeId, selectors, differences }
    }),
    columns: [
      ['ACTION', ({ action }) => action],
      ['SPIFFE ID', ({ spiffeId }) => spiffeId],
      ['SELECTORS', ({ selectors }) => selectors.join(' ')],
      ['DIFFERENCES', ({ differences }) => differences.join('; ')],
    ],
  }
}

function summaryOf({ changes, unchanged }: Plan, planOnly: boolean): string {
  const count = (action: PlanAction): number => changes.filter((change) => change.action === action).length
  const verb = planOnly ? 'would be ' : ''
  const unmanaged = count('unmanaged')
  return [
    `${count('create')} ${verb}created`,
    `${count('update')} ${verb}changed`,
    `${count('delete')} ${verb}deleted`,
    `${unchanged} as they are`,
    ...(unmanaged > 0 ? [`${unmanaged} in no file (--prune deletes them)`] : []),
  ].join(', ')
}
