import type { Revocation, RevocationClient } from '@picket/rpc'
import { parseDuration } from '@picket/runtime'
import type { TrustDomain } from '@picket/identity'
import { Option, type Command } from 'commander'
import { parseIdArgument, parseTtlSeconds, usage } from '../arguments.ts'
import type { CliContext } from '../context.ts'
import { CliError } from '../error.ts'
import { addOperatorFlags, asOperator } from '../operator.ts'
import type { Listing } from '../output.ts'
import { examples, outputOf } from '../program.ts'
import { toRelative, toTimestamp } from '../time.ts'

interface SubjectOptions {
  readonly serial?: string
  readonly authority?: string
}

interface RevokeOptions extends SubjectOptions {
  readonly reason: string
  readonly expires?: number
  readonly wait: number
  readonly list?: true
}

interface Subject {
  readonly kind: string
  readonly value: string
}

const POLL = { firstMs: 25, maxMs: 500 } as const

export function configureRevoke(command: Command, context: CliContext): void {
  addSubject(command)
    .option('--reason <TEXT>', 'why, for whoever looks at the list', '')
    .option('--expires <DURATION>', 'take it off the list after this long', usage(parseTtlSeconds))
    .addOption(
      new Option('--wait <DURATION>', 'how long to wait until every sidecar enforces it')
        .argParser(usage(parseDuration))
        .default(5000, '5s'),
    )
    .addOption(new Option('--list', 'show what is revoked').conflicts(['serial', 'authority']))
    .action(async (id: string | undefined, options: RevokeOptions, self: Command) => {
      if (options.list && id === undefined) return listAll(self, context)
      await revoke(id, options, self, context)
    })
  examples(
    addOperatorFlags(command),
    'picket revoke spiffe://bank.test/payments --reason "stolen laptop"',
    'picket revoke --serial 4f1c9e --expires 1h',
    'picket revoke --authority 3f9c1d7a52b0',
    'picket revoke --list',
  )
}

export function configureUnrevoke(command: Command, context: CliContext): void {
  addSubject(command).action(async (id: string | undefined, options: SubjectOptions, self: Command) => {
    const removed = await asOperator(self, context, ({ revocations, trustDomain }) =>
      revocations.delete(toSubject(id, options, trustDomain)),
    )
    outputOf(self, context).list(listingOf([removed], context))
  })
  examples(addOperatorFlags(command), 'picket unrevoke spiffe://bank.test/payments', 'picket unrevoke --serial 4f1c9e')
}

function addSubject(command: Command): Command {
  return command
    .argument('[SPIFFE_ID]', 'a workload: spiffe://TRUST_DOMAIN/PATH, or /PATH in the own trust domain')
    .addOption(new Option('--serial <HEX>', 'one certificate, by its serial number').conflicts('authority'))
    .option('--authority <KEY_ID>', 'everything that an authority signed, by the identifier of its key')
}

async function revoke(id: string | undefined, options: RevokeOptions, self: Command, context: CliContext) {
  const { reason, expires, wait: waitMs } = options
  const { clock } = context
  const expiresAtMs = expires === undefined ? 0 : clock.now() + expires * 1000
  const revocation = await asOperator(self, context, async ({ revocations, trustDomain }) => {
    const subject = toSubject(id, options, trustDomain)
    const created = await revocations.create({ ...subject, reason, expiresAtMs })
    return untilEnforced(created, revocations, waitMs, context)
  })
  const output = outputOf(self, context)
  output.list(listingOf([revocation], context))
  const { acknowledged, connected } = revocation
  if (acknowledged < connected && waitMs > 0) {
    output.warn(
      `${connected - acknowledged} of ${connected} connected sidecars have not confirmed that they enforce it`,
    )
    context.exitCode = 1
  } else output.note(`enforced by ${acknowledged} of ${connected} connected sidecars, and by the control plane`)
}

async function untilEnforced(
  created: Revocation,
  client: Pick<RevocationClient, 'list'>,
  waitMs: number,
  { clock }: CliContext,
): Promise<Revocation> {
  const endMs = clock.now() + waitMs
  let newest = created
  for (let pauseMs: number = POLL.firstMs; newest.acknowledged < newest.connected && clock.now() < endMs;) {
    await clock.sleep(pauseMs)
    pauseMs = Math.min(2 * pauseMs, POLL.maxMs) // each look reads the whole list
    const all = await listRevocations(client)
    newest = all.find(({ kind, value }) => kind === created.kind && value === created.value) ?? newest
  }
  return newest
}

async function listAll(self: Command, context: CliContext): Promise<void> {
  const all = await asOperator(self, context, ({ revocations }) => listRevocations(revocations))
  outputOf(self, context).list(listingOf(all, context))
}

/** Every page, in order. */
async function listRevocations(client: Pick<RevocationClient, 'list'>): Promise<Revocation[]> {
  const all: Revocation[] = []
  let pageToken = ''
  do {
    const page = await client.list({ pageSize: 1000, pageToken })
    all.push(...page.revocations)
    pageToken = page.nextPageToken
  } while (pageToken !== '')
  return all
}

/** Exactly one of the three. */
function toSubject(id: string | undefined, { serial, authority }: SubjectOptions, trustDomain: TrustDomain): Subject {
  const named: Subject[] = [
    ...(id === undefined ? [] : [{ kind: 'spiffe-id', value: parseIdArgument(id, trustDomain).uri }]),
    ...(serial === undefined ? [] : [{ kind: 'serial', value: serial }]),
    ...(authority === undefined ? [] : [{ kind: 'authority-key', value: authority }]),
  ]
  if (named.length === 1) return named[0]!
  throw new CliError('ERR_USAGE', 'name one thing: a SPIFFE ID, or --serial HEX, or --authority KEY_ID')
}

type RevocationItem = {
  readonly kind: string
  readonly value: string
  readonly reason: string
  readonly createdAt: string | null
  readonly createdBy: string
  readonly expiresAt: string | null
  readonly acknowledged: number
  readonly connected: number
}

function listingOf(revocations: readonly Revocation[], { clock }: CliContext): Listing<RevocationItem> {
  return {
    kind: 'RevocationList',
    items: revocations.map(({ kind, value, reason, createdAtMs, createdBy, expiresAtMs, acknowledged, connected }) => {
      const times = { createdAt: toTimestamp(createdAtMs), expiresAt: toTimestamp(expiresAtMs) }
      return { kind, value, reason, createdBy, ...times, acknowledged, connected }
    }),
    columns: [
      ['KIND', ({ kind }) => kind],
      ['REVOKED', ({ value }) => value],
      ['REASON', ({ reason }) => reason],
      ['SINCE', ({ createdAt }) => toRelative(createdAt, clock)],
      ['EXPIRES', ({ expiresAt }) => (expiresAt === null ? 'never' : toRelative(expiresAt, clock))],
      ['ENFORCED', ({ acknowledged, connected }) => `${acknowledged}/${connected}`],
    ],
  }
}
