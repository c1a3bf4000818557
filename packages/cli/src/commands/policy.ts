import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buildBundle, PolicyError, requireOpa, testPolicies, type Opa } from '@picket/policy'
import type { PolicyRevision } from '@picket/rpc'
import { writeFileAtomic } from '@picket/runtime'
import type { Command } from 'commander'
import { parsePercent, usage } from '../arguments.ts'
import type { CliContext } from '../context.ts'
import { addOperatorFlags, asOperator } from '../operator.ts'
import type { Listing } from '../output.ts'
import { examples, globalsOf, outputOf } from '../program.ts'
import { toTimestamp } from '../time.ts'

const FOLDER = 'policies'
const BUNDLE = 'authz.bundle.tar.gz'
const OPA_FLAG = ['--opa <FILE>', 'compiler (env PICKET_OPA); default: on PATH, else picket toolchain install'] as const

export function configurePolicy(command: Command, context: CliContext): void {
  configureTest(command.command('test'), context)
  configureBuild(command.command('build'), context)
  configurePush(command.command('push'), context)
  configureList(command.command('list'), context)
}

interface TestOptions {
  readonly opa?: string
  readonly coverage?: boolean
  readonly threshold?: number
  readonly exitZeroOnSkipped?: boolean
}

function configureTest(command: Command, context: CliContext): void {
  command
    .description('run the Rego tests of a folder; ends with 1 when one fails or is skipped')
    .argument('[DIR]', 'folder of Rego files', FOLDER)
    .option('--coverage', "measure which of the policies' lines the tests reach")
    .option('--threshold <PERCENT>', 'end with 1 when coverage is below', usage(parsePercent))
    .option('--exit-zero-on-skipped', 'skipped tests are no finding')
    .option(...OPA_FLAG)
    .action(async (directory: string, options: TestOptions, self: Command) => {
      const { threshold = 0, exitZeroOnSkipped = false } = options
      const opa = await compiler(options, context)
      const coverage = options.coverage === true || threshold > 0
      const result = await withPlaces(directory, () => testPolicies(directory, opa, { coverage }))
      const output = outputOf(self, context)
      const { passed, failed, skipped } = result
      if (globalsOf(self).output === 'table') output.text(result.output)
      else {
        const failures = result.failures.map(({ file, line, message }) => ({
          file: join(directory, file),
          line,
          test: message,
        }))
        const item = { directory, passed, failed, skipped, coveragePercent: result.coverage ?? null, failures }
        output.list({ kind: 'PolicyTestList', items: [item], columns: [] })
      }
      if (result.coverage !== undefined) output.note(`coverage: ${result.coverage}%`)
      const uncovered = result.coverage !== undefined && result.coverage < threshold
      if (uncovered) output.warn(`coverage is below ${threshold}%`)
      if (failed > 0 || uncovered || (skipped > 0 && !exitZeroOnSkipped)) context.exitCode = 1
    })
  examples(command, 'picket policy test', 'picket policy test policies --threshold 90')
}

interface BuildOptions {
  readonly opa?: string
  readonly bundle?: string
  readonly revision?: string
}

function configureBuild(command: Command, context: CliContext): void {
  command
    .description('compile a folder of Rego and data to a bundle that sidecars take')
    .argument('[DIR]', 'folder of Rego files', FOLDER)
    .option('--bundle <FILE>', `where it goes (default: DIR/${BUNDLE})`)
    .option('--revision <NAME>', "its revision (default: from the sources' digest)")
    .option(...OPA_FLAG)
    .action(async (directory: string, options: BuildOptions, self: Command) => {
      const opa = await compiler(options, context)
      const { revision, bundle: file = join(directory, BUNDLE) } = options
      const bundle = await withPlaces(directory, () =>
        buildBundle(directory, { opa, ...(revision === undefined ? {} : { revision }) }),
      )
      await writeFileAtomic(file, bundle.bytes)
      outputOf(self, context).list({
        kind: 'PolicyBundleList',
        items: [
          {
            file,
            revision: bundle.revision,
            digest: bundle.digest,
            bytes: bundle.bytes.length,
            entrypoints: bundle.entrypoints,
            compiler: `opa ${opa.version}`,
          },
        ],
        columns: [
          ['REVISION', (item) => item.revision],
          ['BYTES', ({ bytes }) => String(bytes)],
          ['ENTRYPOINTS', ({ entrypoints }) => entrypoints.join(' ')],
          ['FILE', (item) => item.file],
        ],
      })
    })
  examples(command, 'picket policy build', 'picket policy build policies --bundle authz.tar.gz --revision 2026-03-01')
}

function configurePush(command: Command, context: CliContext): void {
  command
    .description('give a bundle to the control plane, which checks it and sends it to every sidecar')
    .argument('[FILE]', 'bundle, as made by picket policy build', join(FOLDER, BUNDLE))
    .action(async (file: string, _options, self: Command) => {
      const bytes = await readFile(file)
      const pushed = await asOperator(self, context, ({ admin }) => admin.pushPolicy(bytes))
      const output = outputOf(self, context)
      output.list(listingOf([pushed]))
      output.note('Which sidecars have it: picket status')
    })
  examples(addOperatorFlags(command), 'picket policy push', 'picket policy push policies/authz.bundle.tar.gz')
}

function configureList(command: Command, context: CliContext): void {
  command
    .description('list the revisions that the control plane holds, newest first')
    .action(async (_options, self: Command) => {
      outputOf(self, context).list(listingOf(await asOperator(self, context, ({ admin }) => admin.listPolicies())))
    })
  examples(addOperatorFlags(command), 'picket policy list', 'picket policy list -o json')
}

function compiler({ opa: flag }: { readonly opa?: string }, { environment: env }: CliContext): Promise<Opa> {
  return requireOpa(flag === undefined ? { env } : { env, flag })
}

/** Rego faults are told as OPA tells them, each with a path that leads there from here: `policies/authz.rego:12: …`. */
async function withPlaces<T>(directory: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (!(cause instanceof PolicyError) || cause.locations.length === 0) throw cause
    const lines = cause.locations.map(({ file, line, message }) => `${join(directory, file)}:${line}: ${message}`)
    throw new PolicyError(cause.code, lines.join('\n'), { cause, locations: cause.locations })
  }
}

type PolicyItem = {
  readonly revision: string
  readonly digest: string
  readonly bytes: number
  readonly pushedAt: string | null
  readonly pushedBy: string
  readonly active: boolean
}

function listingOf(policies: readonly PolicyRevision[]): Listing<PolicyItem> {
  return {
    kind: 'PolicyList',
    items: policies.map(({ revision, digest, bytes, pushedAtMs, pushedBy, active }) => ({
      revision,
      digest,
      bytes,
      pushedAt: toTimestamp(pushedAtMs),
      pushedBy,
      active,
    })),
    columns: [
      ['REVISION', ({ revision }) => revision],
      ['ACTIVE', ({ active }) => (active ? 'yes' : 'no')],
      ['BYTES', ({ bytes }) => String(bytes)],
      ['PUSHED', ({ pushedAt }) => pushedAt ?? ''],
      ['BY', ({ pushedBy }) => pushedBy],
      ['SHA-256', ({ digest }) => digest],
    ],
  }
}
