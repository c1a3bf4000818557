import type { Resource, ResourceChunk } from './messages.ts'

/** Largest content of one chunk. */
export const CHUNK_BYTES = 1024 * 1024

/** The pieces of a resource in order; one empty piece for an empty resource. */
export function chunkResource(resource: Resource): Generator<ResourceChunk> {
  throw new Error(`unwritten ${resource.kind}`)
}

export interface Reassembler {
  /** The resource when `chunk` was its last piece. Throws `ERR_RPC_INVALID` when pieces are out of order, mixed, too large or altered. */
  accept(chunk: ResourceChunk): Resource | undefined
}

export function createReassembler(limits?: { maxBytes: number }): Reassembler {
  throw new Error(`unwritten ${limits?.maxBytes}`)
}
