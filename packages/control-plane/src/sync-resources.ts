import { chunkResource, encodeServiceConfig, type Resource, type ResourceChunk } from '@picket/rpc'
import type { Watch } from '@picket/runtime'
import type { RegistrationEntry } from './entries.ts'
import { createResource } from './revision.ts'

/** What sidecars are to have. */
export interface SyncResources {
  /** What a sidecar of this entry should have now, most needed first. */
  wanted(entry: RegistrationEntry): readonly Resource[]
  /** Cut once for all streams: the pieces share the resource's memory. */
  chunksOf(resource: Resource): readonly ResourceChunk[]
  /** Calls `listener` when any of it has changed. */
  subscribe(listener: () => void): Disposable
}

export interface SyncResourceSources {
  readonly trustBundle: Watch<Resource>
  readonly endpoints: Watch<Resource>
  readonly policy: Watch<Resource | undefined>
}

export function createSyncResources({ trustBundle, endpoints, policy }: SyncResourceSources): SyncResources {
  const cut = new WeakMap<Resource, readonly ResourceChunk[]>()
  return {
    wanted({ service }) {
      const config = createResource('service-config', encodeServiceConfig({ service: { name: service } }))
      const wanted = [trustBundle.value, config, endpoints.value]
      return policy.value ? [...wanted, policy.value] : wanted
    },
    chunksOf(resource) {
      const chunks = cut.get(resource) ?? chunkResource(resource)
      cut.set(resource, chunks)
      return chunks
    },
    subscribe(listener) {
      const subscriptions = new DisposableStack()
      for (const source of [trustBundle, endpoints, policy]) subscriptions.use(source.subscribe(listener))
      return subscriptions
    },
  }
}
