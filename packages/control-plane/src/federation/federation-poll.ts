import { encodeTrustBundle, type TrustBundle } from '@picket/identity'

/** Suggested by the standard for a bundle without a hint (section 4.1). */
const DEFAULT_HINT_SECONDS = 300
/** A slip in somebody's hint must not freeze a relationship for years. */
const MOST_POLL_MS = 24 * 3_600_000

/**
 * How long until the next fetch (rule 75): the bundle's own hint, within bounds. The same after a failure, so that an
 * endpoint in trouble is not overrun. Without any bundle there is no hint, and it is asked as often as is allowed.
 */
export function pollDelayMs(bundle: TrustBundle | undefined, minPollMs: number): number {
  if (!bundle) return minPollMs
  const hintMs = (bundle.refreshHintSeconds ?? DEFAULT_HINT_SECONDS) * 1000
  return Math.min(Math.max(hintMs, minPollMs), Math.max(minPollMs, MOST_POLL_MS))
}

export type BundleChange =
  | 'first'
  | 'none'
  | 'newer'
  /** A domain without sequence numbers: the one that came last counts (section 4.2). */
  | 'unordered'
  /** Content has changed and the number has not, which a publisher must not do: nobody can tell which is newer. */
  | 'same-sequence'
  | 'rollback'

/**
 * What a fetched bundle is to the one held. Only a number that went down says that it is older. Same number and other
 * content is taken all the same: its sender has proved to be the endpoint, and refusing would freeze the keys of a domain
 * whose publisher counts badly, in which revoked ones would stay.
 */
export function compareBundles(held: TrustBundle | undefined, fetched: TrustBundle): BundleChange {
  if (!held) return 'first'
  if (encodeTrustBundle(held) === encodeTrustBundle(fetched)) return 'none'
  if (fetched.sequence === 0n || held.sequence === 0n) return 'unordered'
  if (fetched.sequence < held.sequence) return 'rollback'
  return fetched.sequence === held.sequence ? 'same-sequence' : 'newer'
}
