import {
  createCsr,
  generateKeyPair,
  parseCertificate,
  parseX509Svid,
  verifyX509Svid,
  type BundleSource,
  type X509Svid,
} from '@picket/identity'
import {
  codeOf,
  messageOf,
  sleepUnlessAborted,
  type Clock,
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
}

/**
 * One SVID under a new key. What comes back is checked as if it came from a stranger: it must be a well-formed SVID for
 * this key, verify against the trust bundle now, and carry the SPIFFE ID held so far, if there is one. Throws
 * `ERR_SVID_MISMATCH`, what the issuer throws, and what the parsers throw; nothing has changed then.
 */
export async function requestSvid(
  { issuer, bundles, clock }: SvidRequestDeps,
  held: X509Svid | undefined,
  signal: AbortSignal,
): Promise<X509Svid> {
  const keyPair = generateKeyPair()
  const chain = await issuer.issue(createCsr(keyPair, held?.id), signal)
  const svid = parseX509Svid(
    chain.map((der) => parseCertificate(der)),
    keyPair.privateKey,
  )
  const verified = verifyX509Svid(svid.chain, bundles.value, new Date(clock.now()))
  if (verified.kind === 'refused') {
    throw new AgentError('ERR_SVID_MISMATCH', `the issued svid does not verify: ${verified.message}`)
  }
  if (held && svid.id.uri !== held.id.uri) {
    throw new AgentError('ERR_SVID_MISMATCH', `asked for ${held.id.uri}, was issued ${svid.id.uri}`)
  }
  return svid
}

/** Timers stand still while a machine is suspended, SVIDs do not: the wall clock is looked at this often. */
const LONGEST_SLEEP_MS = 30_000

export interface SvidRotation {
  /** Runs until the signal aborts. */
  run(signal: AbortSignal): Promise<void>
  /** Renews at once; while a renewal is in flight, that one counts. */
  rotateNow(): void
  /** Successful renewals. */
  readonly rotations: number
}

export interface SvidRotationDeps extends SvidRequestDeps {
  readonly random: Random
  readonly logger: Logger
  readonly metrics: Metrics
  readonly svid: Watch<X509Svid>
  /** Takes the new SVID over; the old one stays until then. */
  replace(svid: X509Svid): void
}

/** Keeps the SVID young (`rotation-state.ts` says when). A failed renewal changes nothing but the time of the next try. */
export function createSvidRotation(deps: SvidRotationDeps): SvidRotation {
  const { clock, random, logger, svid } = deps
  const renewed = deps.metrics.counter('picket_svid_rotations_total', 'SVIDs renewed')
  const failed = deps.metrics.counter('picket_svid_rotation_failures_total', 'SVID renewals that failed')
  let state: RotationState = initialRotation(lifetimeOf(svid.value), random)
  let rotations = 0
  let wake: AbortController | undefined

  function advance(event: RotationEvent): void {
    state = nextRotation(state, event, random)
  }

  async function renew(signal: AbortSignal): Promise<void> {
    const old = svid.value
    try {
      const issued = await requestSvid(deps, old, signal)
      advance({ kind: 'issued', lifetime: lifetimeOf(issued), atMs: clock.now() })
      rotations += 1
      renewed.add()
      deps.replace(issued)
      logger.info('svid renewed', { spiffeId: issued.id.uri, notAfter: issued.notAfter })
    } catch (thrown) {
      if (signal.aborted) return
      advance({ kind: 'failed', atMs: clock.now() })
      failed.add()
      const { failures, lifetime } = state
      logger.warn('svid renewal failed, the old one stays', {
        code: codeOf(thrown),
        error: messageOf(thrown),
        failures,
        leftMs: lifetime.notAfterMs - clock.now(),
      })
    }
  }

  return {
    get rotations() {
      return rotations
    },
    rotateNow() {
      advance({ kind: 'rotate' })
      wake?.abort()
    },
    async run(signal) {
      while (!signal.aborted) {
        if (state.kind === 'waiting') {
          const leftMs = state.untilMs - clock.now()
          wake = new AbortController()
          if (leftMs <= 0) advance({ kind: 'due' })
          else
            await sleepUnlessAborted(clock, Math.min(leftMs, LONGEST_SLEEP_MS), AbortSignal.any([signal, wake.signal]))
        } else {
          await renew(signal)
        }
      }
    },
  }
}

function lifetimeOf({ notBefore, notAfter }: X509Svid): Lifetime {
  return { notBeforeMs: notBefore.getTime(), notAfterMs: notAfter.getTime() }
}
