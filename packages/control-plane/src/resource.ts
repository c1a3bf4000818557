import { createHash } from 'node:crypto'
import type { Resource, ResourceKindName } from '@picket/rpc'

/** A resource whose revision is that of its content: the same bytes have the same name on every control plane. */
export function createResource(kind: ResourceKindName, bytes: Buffer): Resource {
  return { kind, revision: createHash('sha256').update(bytes).digest('hex').slice(0, 16), bytes }
}
