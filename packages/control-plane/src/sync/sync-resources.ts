import type { KeyAlgorithm, TrustBundle } from '@picket/identity'
import { encodeIdentities, encodeServiceConfig, type Resource } from '@picket/rpc'
import type { Logger, Watch } from '@picket/runtime'
import type { EntitledIdentity } from '../registration/entitlement.ts'
import type { RegistrationEntry } from '../registration/registration-entry.ts'
import { createResource } from '../resource.ts'
import { createFederatedBundles } from './federated-bundles.ts'
import { createTransfers, type Transfers } from './sync-deltas.ts'

/** What a sidecar is entitled to, as the entries say now. */
export interface Standing {
  /** Its default identity's. */
  readonly entry: RegistrationEntry
  /** The default one first. */
  readonly identities: readonly EntitledIdentity[]
  /** That it has proved. */
  readonly facts: readonly string[]
}

/** What sidecars are to have. */
export interface SyncResources extends Pick<Transfers, 'chunksOf' | 'recall'> {
  /** What a sidecar of this standing should have at each moment. */
  follow(standing: Standing): SidecarResources
  /** Calls `listener` when any of it has changed. */
  subscribe(listener: () => void): Disposable
}

export interface SidecarResources {
  /** Most needed first. The same list until something has changed: thousands of streams ask at each wake. */
  wanted(): readonly Resource[]
}

export interface SyncResourceSources {
  readonly trustBundle: Watch<Resource>
  readonly revocations: Watch<Resource>
  /** The newest good bundle of each federated trust domain, by its name. */
  readonly federation: Watch<ReadonlyMap<string, TrustBundle>>
  /** What workloads' keys should be. */
  readonly svidAlgorithm: Watch<KeyAlgorithm>
  readonly endpoints: Watch<Resource>
  readonly policy: Watch<Resource | undefined>
}

export function createSyncResources(sources: SyncResourceSources, logger: Pick<Logger, 'warn'>): SyncResources {
  const transfers = createTransfers()
  const federated = createFederatedBundles(sources.federation, logger)
  return {
    follow: (standing) => followSources(sources, standing, federated),
    chunksOf: (resource, base) => transfers.chunksOf(resource, base),
    recall: (kind, revision) => transfers.recall(kind, revision),
    subscribe(listener) {
      const subscriptions = new DisposableStack()
      for (const shared of [sources.endpoints, sources.revocations]) {
        transfers.remember(shared.value)
        subscriptions.use(shared.subscribe((resource) => transfers.remember(resource)))
      }
      for (const source of Object.values(sources)) subscriptions.use(source.subscribe(listener))
      return subscriptions
    },
  }
}

/** What is a sidecar's own is encoded once for its standing; what is everybody's is taken as it is. */
function followSources(
  { trustBundle, revocations, federation, svidAlgorithm, endpoints, policy }: SyncResourceSources,
  { entry, identities }: Standing,
  federated: (names: readonly string[]) => Resource,
): SidecarResources {
  const config = createResource('service-config', encodeServiceConfig({ service: { name: entry.service } }))
  const names = [...new Set(identities.flatMap(({ federatesWith }) => federatesWith))].sort()
  const own = memoize(svidAlgorithm, (keyAlgorithm) => toIdentities(identities, keyAlgorithm))
  const foreign = memoize(federation, () => federated(names))
  let newest: readonly Resource[] = []
  return {
    wanted() {
      const active = policy.value
      const shared = [revocations.value, trustBundle.value, own(), foreign(), config, endpoints.value] as const
      const isSame = shared.every((resource, at) => resource === newest[at]) && newest[shared.length] === active
      if (!isSame) newest = active ? [...shared, active] : shared
      return newest
    },
  }
}

function memoize<T, R>(watch: Watch<T>, make: (value: T) => R): () => R {
  let made: { readonly of: T; readonly result: R } | undefined
  return () => {
    if (!made || made.of !== watch.value) made = { of: watch.value, result: make(watch.value) }
    return made.result
  }
}

function toIdentities(identities: readonly EntitledIdentity[], keyAlgorithm: KeyAlgorithm): Resource {
  const records = identities.map(({ spiffeId, hint, selectors, federatesWith, entry: { ttlSeconds, dnsNames } }) => {
    return { spiffeId, hint, selectors, federatesWith, keyAlgorithm, ttlSeconds, dnsNames }
  })
  return createResource('identities', encodeIdentities({ identities: records }))
}
