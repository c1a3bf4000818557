import { backoffMs, jitter, type Random } from '@picket/runtime'

/** When an SVID counts, on the wall clock. */
export interface Lifetime {
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

/** What the renewal of an SVID is doing. `failures` counts those since the last success. */
export type RotationState =
  | { readonly kind: 'waiting'; readonly lifetime: Lifetime; readonly failures: number; readonly untilMs: number }
  | { readonly kind: 'renewing'; readonly lifetime: Lifetime; readonly failures: number }

export type RotationEvent =
  /** The wait is over. */
  | { readonly kind: 'due' }
  /** Somebody asks for a new SVID now. */
  | { readonly kind: 'rotate' }
  | { readonly kind: 'issued'; readonly lifetime: Lifetime; readonly atMs: number }
  /** `retryAfterMs`: when the issuer would like to be asked again. */
  | { readonly kind: 'failed'; readonly atMs: number; readonly retryAfterMs?: number | undefined }

/** Renewal starts at this share of the lifetime, give or take `RENEWAL_JITTER` of it, so that a fleet does not renew at once. */
const RENEW_AT_SHARE = 0.5
const RENEWAL_JITTER = 0.1
/** Also the shortest wait before a renewal: a lifetime of seconds must not turn into a busy loop. */
export const RENEWAL_RETRY = { firstMs: 500, maxMs: 30_000 } as const
/** Without an SVID that counts a sidecar serves nobody: whoever issues the next one says when it is asked too often. */
const RETRY_AFTER_EXPIRY = { firstMs: 500, maxMs: 5000 } as const

/** The state for an SVID that was not issued just now: one read from disk may be past its half life already. */
export function initialRotation(lifetime: Lifetime, random: Random): RotationState {
  const untilMs = lifetime.notBeforeMs + renewalDelayMs(lifetime.notAfterMs - lifetime.notBeforeMs, random)
  return { kind: 'waiting', lifetime, failures: 0, untilMs }
}

/** The next state. An event that does not apply gives the same state back: there is never a second renewal in flight. */
export function nextRotation(state: RotationState, event: RotationEvent, random: Random): RotationState {
  switch (event.kind) {
    case 'due':
    case 'rotate':
      if (state.kind === 'renewing') return state
      return { kind: 'renewing', lifetime: state.lifetime, failures: state.failures }
    case 'issued': {
      if (state.kind === 'waiting') return state
      const untilMs = event.atMs + renewalDelayMs(event.lifetime.notAfterMs - event.atMs, random)
      return { kind: 'waiting', lifetime: event.lifetime, failures: 0, untilMs }
    }
    case 'failed': {
      if (state.kind === 'waiting') return state
      const failures = state.failures + 1
      const untilMs =
        event.atMs + retryDelayMs(failures, event.retryAfterMs, state.lifetime.notAfterMs - event.atMs, random)
      return { kind: 'waiting', lifetime: state.lifetime, failures, untilMs }
    }
  }
}

function renewalDelayMs(lifeMs: number, random: Random): number {
  return Math.max(RENEWAL_RETRY.firstMs, jitter(lifeMs * RENEW_AT_SHARE, RENEWAL_JITTER, random))
}

/**
 * Exponential backoff, or what the issuer asks for, spread so that those who were refused together do not come back
 * together; but before expiry never more than half of what is left: several attempts always fall into the last minute,
 * when a late success still saves the connection.
 */
function retryDelayMs(failures: number, retryAfterMs: number | undefined, leftMs: number, random: Random): number {
  const delayMs =
    retryAfterMs === undefined
      ? backoffMs(failures, leftMs <= 0 ? RETRY_AFTER_EXPIRY : RENEWAL_RETRY, random)
      : Math.max(RENEWAL_RETRY.firstMs / 2, retryAfterMs * (1 + random.fraction()))
  return leftMs <= 0 ? delayMs : Math.min(delayMs, Math.max(RENEWAL_RETRY.firstMs, leftMs / 2))
}
