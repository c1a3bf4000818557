import {
  createCsr,
  generateKeyPair,
  generateKeyPairAsync,
  parseCertificate,
  parseX509Svid,
  verifyX509Svid,
  type BundleSource,
  type KeyAlgorithm,
  type KeyPair,
  type SpiffeId,
  type X509Svid,
} from '@picket/identity'
import { RpcError } from '@picket/rpc'
import {
  codeOf,
  messageOf,
  sleepUnlessAborted,
  type Clock,
  type LogFields,
  type Logger,
  type Metrics,
  type Random,
  type Watch,
} from '@picket/runtime'
import { AgentError } from './error.ts'
import {
  initialRotation,
  nextRotation,
  type Lifetime,
  type RotationEvent,
  type RotationState,
} from './rotation-state.ts'

/** Whoever turns a certificate signing request into a chain, leaf first. */
export interface SvidIssuer {
  issue(csr: Buffer, signal: AbortSignal): Promise<readonly Buffer[]>
}

export interface SvidRequestDeps {
  readonly issuer: SvidIssuer
  readonly bundles: Watch<BundleSource>
  readonly clock: Clock
  /** What the new key is to be; ec-p256 unless told. */
  readonly keyAlgorithm?: () => KeyAlgorithm
  /** Used instead of a new key: evidence that is good once is good again only for the same key. */
  readonly keyPair?: KeyPair | undefined
}

/**
 * One SVID under a new key. What comes back is checked as if it came from a stranger: it must be a well-formed SVID for
 * this key, verify against the trust bundle now, and carry the SPIFFE ID asked for, if one was. Throws
 * `ERR_SVID_MISMATCH`, what the issuer throws, and what the parsers throw; nothing has changed then.
 */
export async function requestSvid(
  { issuer, bundles, clock, keyAlgorithm, keyPair: given }: SvidRequestDeps,
  id: SpiffeId | undefined,
  signal: AbortSignal,
): Promise<X509Svid> {
  const keyPair = given ?? (await newKeyPair(keyAlgorithm?.() ?? 'ec-p256'))
  const chain = await issuer.issue(createCsr(keyPair, id), signal)
  const svid = parseX509Svid(
    chain.map((der) => parseCertificate(der)),
    keyPair.privateKey,
  )
  const verified = verifyX509Svid(svid.chain, bundles.value, new Date(clock.now()))
  if (verified.kind === 'refused') {
    throw new AgentError('ERR_SVID_MISMATCH', `the issued svid does not verify: ${verified.message}`)
  }
  if (id && svid.id.uri !== id.uri) {
    throw new AgentError('ERR_SVID_MISMATCH', `asked for ${id.uri}, was issued ${svid.id.uri}`)
  }
  return svid
}

/** RSA keys take up to seconds: not on the thread that forwards requests. */
async function newKeyPair(algorithm: KeyAlgorithm): Promise<KeyPair> {
  return algorithm.startsWith('rsa-') ? generateKeyPairAsync(algorithm) : generateKeyPair(algorithm)
}

/** Timers stand still while a machine is suspended, SVIDs do not: the wall clock is looked at this often. */
const LONGEST_SLEEP_MS = 30_000

export interface SvidRotation {
  /** Runs until the signal aborts. */
  run(signal: AbortSignal): Promise<void>
  /** Renews at once, or some time within `withinMs`; while a renewal is in flight, that one counts. */
  rotateNow(withinMs?: number): void
  /** Successful renewals. */
  readonly rotations: number
}

export interface SvidRotationDeps extends SvidRequestDeps {
  readonly random: Random
  readonly logger: Logger
  readonly metrics: Metrics
  /** Undefined: there is none yet, and the first is asked for at once. */
  readonly svid: Watch<X509Svid | undefined>
  /** Whose SVID it is to be; the one held unless told. */
  readonly id?: () => SpiffeId
  /** Takes the new SVID over; the old one stays until then. */
  replace(svid: X509Svid): void
}

/** Keeps the SVID young (`rotation-state.ts` says when). A failed renewal changes nothing but the time of the next try. */
export function createSvidRotation(deps: SvidRotationDeps): SvidRotation {
  const { clock, random, logger, svid } = deps
  const wantedId = (): SpiffeId | undefined => deps.id?.() ?? svid.value?.id
  const renewed = deps.metrics.counter('picket_svid_rotations_total', 'SVIDs renewed')
  const failed = deps.metrics.counter('picket_svid_rotation_failures_total', 'SVID renewals that failed')
  let state: RotationState = initialRotation(lifetimeOf(svid.value), random)
  let rotations = 0
  let wake: AbortController | undefined
  let order: Disposable | undefined

  function advance(event: RotationEvent): void {
    state = nextRotation(state, event, random)
  }

  async function renew(signal: AbortSignal): Promise<void> {
    try {
      const issued = await requestSvid(deps, wantedId(), signal)
      if (signal.aborted) return
      advance({ kind: 'issued', lifetime: lifetimeOf(issued), atMs: clock.now() })
      rotations += 1
      renewed.add()
      deps.replace(issued)
      logger.info('svid renewed', { spiffeId: issued.id.uri, notAfter: issued.notAfter })
    } catch (thrown) {
      if (signal.aborted) return
      const retryAfterMs = thrown instanceof RpcError ? thrown.retryAfterMs : undefined
      advance({ kind: 'failed', atMs: clock.now(), retryAfterMs })
      failed.add()
      tellFailure(logger, thrown, { spiffeId: wantedId()?.uri, failures: state.failures, leftMs: leftMs(state, clock) })
    }
  }

  function rotateNow(withinMs = 0): void {
    if (withinMs > 0) {
      order ??= clock.after(random.fraction() * withinMs, () => rotateNow())
      return
    }
    order?.[Symbol.dispose]()
    order = undefined
    advance({ kind: 'rotate' })
    wake?.abort()
  }

  return {
    get rotations() {
      return rotations
    },
    rotateNow,
    async run(signal) {
      using _order = { [Symbol.dispose]: () => order?.[Symbol.dispose]() }
      while (!signal.aborted) {
        if (state.kind === 'waiting') {
          const waitMs = state.untilMs - clock.now()
          wake = new AbortController()
          if (waitMs <= 0) advance({ kind: 'due' })
          else
            await sleepUnlessAborted(clock, Math.min(waitMs, LONGEST_SLEEP_MS), AbortSignal.any([signal, wake.signal]))
        } else {
          await renew(signal)
        }
      }
    },
  }
}

function leftMs({ lifetime }: RotationState, clock: Clock): number {
  return Math.max(0, lifetime.notAfterMs - clock.now())
}

function tellFailure(logger: Logger, thrown: unknown, fields: LogFields): void {
  const why = { code: codeOf(thrown), error: messageOf(thrown) }
  logger.warn('svid renewal failed, the old one stays', { ...fields, ...why })
}

/** Without an SVID: one that ended long ago, so that the first is due now. */
function lifetimeOf(svid: X509Svid | undefined): Lifetime {
  return { notBeforeMs: svid?.notBefore.getTime() ?? 0, notAfterMs: svid?.notAfter.getTime() ?? 0 }
}
