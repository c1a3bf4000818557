import { KEY_ALGORITHMS, parseKeyAlgorithm } from '@picket/identity'
import type { AffectedSidecar, AuthorityStatus, RotateAuthoritiesRequest, RotationProgress } from '@picket/rpc'
import { codeOf, messageOf } from '@picket/runtime'
import type { Command } from 'commander'
import { parsePercent, parseTtlSeconds, usage } from '../arguments.ts'
import type { CliContext } from '../context.ts'
import { CliError } from '../error.ts'
import { addOperatorFlags, asOperator, type OperatorSession } from '../operator.ts'
import type { Listing, Output } from '../output.ts'
import { examples, outputOf } from '../program.ts'
import { authorityListing, describeProgress } from './ca-listing.ts'
import { addKindFlags } from './ca-steps.ts'

interface RotateOptions {
  readonly x509?: true
  readonly jwt?: true
  readonly algorithm?: string
  readonly svidAlgorithm?: string
  readonly emergency?: true
  readonly keepOld?: true
  readonly quorum?: number
  readonly deadline?: number
  readonly dryRun?: true
}

const POLL_MS = 150
/** Progress within a phase is told this often at most. */
const TELL_EVERY_MS = 5000
const GIVE_UP_MS = 600_000
const WORTH_A_WORD_MS = 2000
/** What a control plane that restarts, or renews the operator's identity, looks like for a moment. */
const PASSING = new Set([
  'ERR_CONTROL_PLANE_DOWN',
  'ERR_OPERATOR_IDENTITY',
  'ERR_SVID',
  'ERR_RPC_UNAVAILABLE',
  'ERR_RPC_UNAUTHENTICATED',
  'ERR_RPC_WRONG_SERVER',
  'ERR_RPC_DEADLINE',
  'ERR_RPC_CANCELLED',
])

export function configureRotate(command: Command, context: CliContext): void {
  const algorithms = KEY_ALGORITHMS.join(', ')
  addKindFlags(command, 'both')
    .description('replace the authorities step by step, each step when the mesh is ready for it; follows to the end')
    .option(
      '--algorithm <NAME>',
      `key of the new x509 authority, which alone is replaced then: ${algorithms}`,
      usage(parseKeyAlgorithm),
    )
    .option('--svid-algorithm <NAME>', "workloads' keys (default: as --algorithm)", usage(parseKeyAlgorithm))
    .option('--emergency', 'a key is compromised: wait 30s at most for each step, then deny the old authority')
    .option('--keep-old', 'do not retire the old authority: it runs out by itself')
    .option('--quorum <PERCENT>', "sidecars that must follow (default: the control plane's)", usage(parseQuorum))
    .option('--deadline <DURATION>', 'go on without laggards after this long, in each step', usage(parseTtlSeconds))
    .option('--dry-run', 'change nothing: show whom it would touch')
    .action(async (options: RotateOptions, self: Command) => {
      const request = toRequest(options)
      if (request.dryRun) return preview(request, self, context)
      await rotate(request, self, context)
    })
  examples(
    addOperatorFlags(command),
    'picket ca rotate --dry-run',
    'picket ca rotate --x509 --algorithm ml-dsa-65',
    'picket ca rotate --emergency',
    'picket ca rotate --quorum 95 --deadline 10m',
  )
}

function toRequest(options: RotateOptions): RotateAuthoritiesRequest {
  const { x509, jwt, algorithm = '', svidAlgorithm = '', emergency, keepOld, quorum, deadline, dryRun } = options
  return {
    // An algorithm is that of certificates: the authority of tokens stays as it is.
    kinds: jwt ? ['jwt'] : x509 || algorithm !== '' ? ['x509'] : [],
    algorithm,
    svidAlgorithm,
    emergency: emergency ?? false,
    keepOld: keepOld ?? false,
    quorumPercent: quorum ?? 0,
    deadlineSeconds: deadline ?? 0,
    dryRun: dryRun ?? false,
  }
}

function parseQuorum(text: string): number {
  const percent = parsePercent(text)
  if (!Number.isInteger(percent) || percent === 0) throw new TypeError('Write a whole number from 1 to 100.')
  return percent
}

async function preview(request: RotateAuthoritiesRequest, self: Command, context: CliContext): Promise<void> {
  const { affected } = await asOperator(self, context, ({ authorities }) => authorities.rotate(request))
  const output = outputOf(self, context)
  output.list(affectedListing(affected))
  const away = affected.filter(({ connected }) => !connected).length
  output.note(`${affected.length - away} connected sidecars would get a new bundle and renew`)
  if (away > 0) {
    const wayOut = 'those that stay away past the end need the new trust-bundle.pem'
    output.warn(`${away} were here not long ago and are not connected now: ${wayOut}`)
  }
}

async function rotate(request: RotateAuthoritiesRequest, self: Command, context: CliContext): Promise<void> {
  const output = outputOf(self, context)
  const { before, begun } = await asOperator(self, context, async ({ authorities }) => {
    const { rotation } = await authorities.getAuthorities()
    return { before: rotation, begun: await authorities.rotate(request) }
  })
  if (before && before.id === begun.rotation?.id) {
    output.note(`a rotation is under way since ${new Date(before.startedAtMs).toISOString()}: following that one`)
  }
  const status = begun.rotation ? await follow(begun.rotation.id, self, context, output) : begun
  output.list(authorityListing(status, context))
}

/** Resolves with the state at the end of this rotation. A control plane that is away meanwhile is waited for. */
async function follow(id: string, self: Command, context: CliContext, output: Output): Promise<AuthorityStatus> {
  const { clock } = context
  const tell = createTeller(context, output)
  let answeredAtMs = clock.now()
  let isLost = false

  async function watch({ authorities }: OperatorSession): Promise<AuthorityStatus> {
    for (; ; await clock.sleep(POLL_MS)) {
      const status = await authorities.getAuthorities()
      answeredAtMs = clock.now()
      isLost = false
      if (status.rotation?.id !== id) return status
      tell(status.rotation)
    }
  }

  for (; ; await clock.sleep(POLL_MS)) {
    try {
      const status = await asOperator(self, context, watch)
      const end = status.rotation ? 'another rotation has taken its place' : 'the rotation has ended'
      output.note(`${'done:'.padEnd(14)}${end}`)
      return status
    } catch (cause) {
      if (!PASSING.has(codeOf(cause) ?? '')) throw cause
      const lostMs = clock.now() - answeredAtMs
      // A connection ends with each renewal of the operator's identity, which is worth no word.
      if (lostMs > WORTH_A_WORD_MS && !isLost) output.note('the control plane does not answer: trying again')
      isLost ||= lostMs > WORTH_A_WORD_MS
      if (lostMs < GIVE_UP_MS) continue
      const problem = `the control plane is gone, the rotation goes on when it is back: ${messageOf(cause)}`
      throw new CliError('ERR_CONTROL_PLANE_DOWN', problem, { cause })
    }
  }
}

/** A line for each phase; within one, again when it takes long and who is waited for has changed. */
function createTeller({ clock }: CliContext, output: Output): (progress: RotationProgress) => void {
  let phase = ''
  let told = ''
  let toldAtMs = 0
  return (progress) => {
    const line = describeProgress(progress)
    const isNew = progress.phase !== phase
    if (!isNew && (line === told || clock.now() - toldAtMs < TELL_EVERY_MS)) return
    output.note(line)
    phase = progress.phase
    told = line
    toldAtMs = clock.now()
  }
}

type AffectedItem = {
  readonly spiffeId: string
  readonly instanceId: string
  readonly service: string
  readonly connected: boolean
  readonly authorityKeyIds: readonly string[]
}

function affectedListing(affected: readonly AffectedSidecar[]): Listing<AffectedItem> {
  return {
    kind: 'AffectedSidecarList',
    items: affected.map(({ spiffeId, instanceId, service, connected, authorityKeyIds }) => {
      return { spiffeId, instanceId, service, connected, authorityKeyIds }
    }),
    columns: [
      ['SPIFFE ID', ({ spiffeId }) => spiffeId],
      ['INSTANCE', ({ instanceId }) => instanceId],
      ['STATE', ({ connected }) => (connected ? 'connected' : 'NOT CONNECTED')],
      ['SVIDS OF', ({ authorityKeyIds }) => authorityKeyIds.map((keyId) => keyId.slice(0, 16)).join(' ')],
    ],
  }
}
