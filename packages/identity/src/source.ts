import type { Watch } from '@picket/runtime'
import { IdentityError } from './error.ts'
import { NO_REVOCATIONS, type RevocationList } from './revocation.ts'
import type { X509Svid } from './svid.ts'
import type { TrustBundle } from './trust-bundle.ts'
import type { TrustDomain } from './trust-domain.ts'

/** Where a verifier finds the bundle of a peer's own trust domain; undefined means that nobody from there is trusted. */
export interface BundleSource {
  bundleFor(trustDomain: TrustDomain): TrustBundle | undefined
  /** What is refused although its certificates are good; none when left out. */
  readonly revocations?: RevocationList
}

/** Where a daemon finds its newest good SVID. */
export interface SvidSource {
  readonly svid: Watch<X509Svid>
}

/** An unchanging set of bundles; a change is a new set, which then travels through a `Watch<BundleSource>`. */
export interface BundleSet extends BundleSource {
  readonly bundles: readonly TrustBundle[]
  readonly revocations: RevocationList
}

/** One bundle to a trust domain: bundles are never merged (rule 49). Throws `ERR_TRUST_BUNDLE` on two for the same. */
export function createBundleSource(
  bundles: readonly TrustBundle[],
  revocations: RevocationList = NO_REVOCATIONS,
): BundleSet {
  const byName = new Map(bundles.map((bundle) => [bundle.trustDomain.name, bundle]))
  if (byName.size !== bundles.length) {
    throw new IdentityError('ERR_TRUST_BUNDLE', 'there are two trust bundles for one trust domain')
  }
  return Object.freeze({
    bundles: Object.freeze([...bundles]),
    revocations,
    bundleFor: (trustDomain: TrustDomain) => byName.get(trustDomain.name),
  })
}
