import {
  chunkDelta,
  chunkResource,
  createDelta,
  type Resource,
  type ResourceChunk,
  type ResourceKindName,
} from '@picket/rpc'

/** How resources travel: cut once for all streams, whole or as a delta to a revision that the sidecar holds. */
export interface Transfers {
  /** The pieces share the memory of what they are pieces of. `base`: what the sidecar holds of the kind, if that is known. */
  chunksOf(resource: Resource, base: Resource | undefined): readonly ResourceChunk[]
  /** Kept for a sidecar that comes back with it. */
  remember(resource: Resource): void
  recall(kind: ResourceKindName, revision: string): Resource | undefined
}

/** Those made of lines. */
const BY_LINES: ReadonlySet<ResourceKindName> = new Set(['identities', 'federated-bundles', 'revocations', 'endpoints'])
/** What fits into one packet goes whole: there is nothing to gain. */
const SMALL_BYTES = 1200
/** Revisions of a kind that a reconnecting sidecar may still have. */
const REMEMBERED = 8

export function createTransfers(): Transfers {
  const wholes = new WeakMap<Resource, readonly ResourceChunk[]>()
  const deltas = new WeakMap<Resource, Map<string, readonly ResourceChunk[]>>()
  const remembered = new Map<ResourceKindName, Resource[]>()

  function wholeOf(resource: Resource): readonly ResourceChunk[] {
    const chunks = wholes.get(resource) ?? chunkResource(resource)
    wholes.set(resource, chunks)
    return chunks
  }

  function deltaOf(resource: Resource, base: Resource): readonly ResourceChunk[] {
    const known = deltas.get(resource) ?? new Map<string, readonly ResourceChunk[]>()
    deltas.set(resource, known)
    const delta = known.has(base.revision) ? undefined : createDelta(base.bytes, resource.bytes)
    const chunks = known.get(base.revision) ?? (delta ? chunkDelta(resource, base.revision, delta) : wholeOf(resource))
    known.set(base.revision, chunks)
    return chunks
  }

  return {
    chunksOf: (resource, base) =>
      base && BY_LINES.has(resource.kind) && resource.bytes.length > SMALL_BYTES
        ? deltaOf(resource, base)
        : wholeOf(resource),
    remember(resource) {
      const others = (remembered.get(resource.kind) ?? []).filter(({ revision }) => revision !== resource.revision)
      remembered.set(resource.kind, [...others, resource].slice(-REMEMBERED))
    },
    recall: (kind, revision) => remembered.get(kind)?.find((resource) => resource.revision === revision),
  }
}
