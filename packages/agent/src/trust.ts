import {
  createBundleSource,
  createRevocationList,
  encodeTrustBundle,
  NO_REVOCATIONS,
  parseBundleMap,
  parseTrustBundle,
  type BundleSource,
  type RevocationList,
  type TrustBundle,
} from '@picket/identity'
import { parseRevocations } from '@picket/rpc'
import { createWatch, type Watch } from '@picket/runtime'
import { AgentError } from './error.ts'

/** Whom this sidecar believes, and whom it refuses nevertheless. */
export interface Trust {
  /** Of the own trust domain. */
  readonly trustBundle: Watch<TrustBundle>
  /** Of all domains that any of the identities federates with. */
  readonly federatedBundles: Watch<readonly TrustBundle[]>
  readonly revocations: Watch<RevocationList>
  /** DER; undefined while there is none. */
  readonly crl: Watch<Buffer | undefined>
  /** What peers are verified with: the own bundle, those that the default identity federates with, the deny-list. */
  readonly bundles: Watch<BundleSource>
  /** The same with the bundles of all identities, for workloads. */
  readonly allBundles: Watch<BundleSource>
}

export interface TrustKeeper extends Trust {
  /** Throws `ERR_TRUST_BUNDLE_ROLLBACK`, `ERR_TRUST_BUNDLE_EMPTY` and what the parser throws. */
  takeTrustBundle(bytes: Buffer): void
  /** Throws `ERR_FEDERATED_BUNDLES` and what the parser throws. */
  takeFederatedBundles(bytes: Buffer): void
  takeRevocations(bytes: Buffer): void
  /** Names of the domains that the default identity federates with. */
  setFederates(names: readonly string[]): void
}

/**
 * Bundles stay apart, one to a trust domain: none of another domain can stand for the own one. Objects that have not
 * changed stay the same, so that a change of the deny-list costs no TLS session.
 */
export function createTrust(pinned: TrustBundle): TrustKeeper {
  const trustBundle = createWatch(pinned)
  const federatedBundles = createWatch<readonly TrustBundle[]>([])
  const revocations = createWatch(NO_REVOCATIONS)
  const crl = createWatch<Buffer | undefined>(undefined)
  const bundles = createWatch<BundleSource>(createBundleSource([pinned]))
  const allBundles = createWatch<BundleSource>(createBundleSource([pinned]))
  let federates: ReadonlySet<string> = new Set()

  function update(): void {
    const believed = federatedBundles.value.filter(({ trustDomain }) => federates.has(trustDomain.name))
    bundles.set(createBundleSource([trustBundle.value, ...believed], revocations.value))
    allBundles.set(createBundleSource([trustBundle.value, ...federatedBundles.value], revocations.value))
  }

  return {
    trustBundle,
    federatedBundles,
    revocations,
    crl,
    bundles,
    allBundles,
    takeTrustBundle(bytes) {
      const next = parseTrustBundle(bytes.toString('utf8'), pinned.trustDomain)
      refuseWorse(trustBundle.value, next)
      if (encodeTrustBundle(next) === encodeTrustBundle(trustBundle.value)) return
      trustBundle.set(next)
      update()
    },
    takeFederatedBundles(bytes) {
      const next = parseBundleMap(bytes)
      if (next.some(({ trustDomain }) => trustDomain.name === pinned.trustDomain.name)) {
        throw new AgentError('ERR_FEDERATED_BUNDLES', 'a federated bundle is for the own trust domain')
      }
      federatedBundles.set(keepUnchanged(federatedBundles.value, next))
      update()
    },
    takeRevocations(bytes) {
      const { subjects, crl: list } = parseRevocations(bytes)
      revocations.set(createRevocationList(subjects))
      update()
      crl.set(list)
    },
    setFederates(names) {
      const next = new Set(names)
      if (next.size === federates.size && names.every((name) => federates.has(name))) return
      federates = next
      update()
    },
  }
}

function keepUnchanged(present: readonly TrustBundle[], next: readonly TrustBundle[]): readonly TrustBundle[] {
  const known = new Map(present.map((bundle) => [bundle.trustDomain.name, bundle]))
  return next.map((bundle) => {
    const before = known.get(bundle.trustDomain.name)
    return before && encodeTrustBundle(before) === encodeTrustBundle(bundle) ? before : bundle
  })
}

/**
 * Whoever can replay an old bundle could bring a withdrawn authority back: the sequence number never goes down. A bundle
 * without authorities is a valid one, but with it this sidecar could not even verify the control plane that would send
 * the next.
 */
function refuseWorse(present: TrustBundle, next: TrustBundle): void {
  if (next.x509Authorities.length === 0) {
    throw new AgentError('ERR_TRUST_BUNDLE_EMPTY', 'the trust bundle holds no authority')
  }
  if (next.sequence >= present.sequence) return
  throw new AgentError(
    'ERR_TRUST_BUNDLE_ROLLBACK',
    `trust bundle sequence ${next.sequence} is older than ${present.sequence}, which is held`,
  )
}
