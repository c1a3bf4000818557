import { createHash } from 'node:crypto'
import type { Resource, ResourceChunk } from './messages.ts'
import { RpcError } from './rpc-error.ts'

/** Largest content of one chunk. */
export const CHUNK_BYTES = 1024 * 1024

/** Largest resource, and largest policy upload. */
export const RESOURCE_BYTES = 64 * 1024 * 1024

/** Most pieces that a reader takes: senders may cut smaller than we do, but not into dust. */
const PIECES = 4096

/** The pieces of a resource in order, sharing its memory; one empty piece for an empty resource. */
export function chunkResource({ kind, revision, bytes }: Resource): readonly ResourceChunk[] {
  const count = Math.max(1, Math.ceil(bytes.length / CHUNK_BYTES))
  const sha256 = createHash('sha256').update(bytes).digest()
  return Array.from({ length: count }, (_, index) => {
    const content = bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES)
    return { kind, revision, index, count, totalBytes: bytes.length, sha256, content, baseRevision: '' }
  })
}

export interface Reassembler {
  /**
   * The resource when `chunk` was its last piece. Throws `ERR_RPC_INVALID` for pieces out of order, mixed, too many, too
   * large or altered; the stream that they came on is then of no further use.
   */
  accept(chunk: ResourceChunk): Resource | undefined
}

/** Memory is bounded by `maxBytes`: no piece is kept that the first one did not announce. */
export function createReassembler(maxBytes: number = RESOURCE_BYTES): Reassembler {
  let first: ResourceChunk | undefined
  let pieces: Buffer[] = []
  let gatheredBytes = 0

  return {
    accept(chunk) {
      first ??= checkFirst(chunk, maxBytes)
      checkNext(chunk, first, pieces.length)
      pieces.push(chunk.content)
      gatheredBytes += chunk.content.length
      if (gatheredBytes > first.totalBytes) throw invalid('a resource is longer than announced')
      if (pieces.length < first.count) return undefined
      const bytes = Buffer.concat(pieces, gatheredBytes)
      checkWhole(bytes, first)
      first = undefined
      pieces = []
      gatheredBytes = 0
      return { kind: chunk.kind, revision: chunk.revision, bytes }
    },
  }
}

function checkFirst(chunk: ResourceChunk, maxBytes: number): ResourceChunk {
  if (chunk.totalBytes > maxBytes) throw invalid(`a resource of ${chunk.totalBytes} bytes is over the limit`)
  if (chunk.count < 1 || chunk.count > PIECES) throw invalid(`a resource in ${chunk.count} pieces is over the limit`)
  return chunk
}

function checkNext(chunk: ResourceChunk, first: ResourceChunk, expectedIndex: number): void {
  const same =
    chunk.kind === first.kind &&
    chunk.revision === first.revision &&
    chunk.count === first.count &&
    chunk.totalBytes === first.totalBytes &&
    chunk.sha256.equals(first.sha256)
  if (!same) throw invalid('the pieces of two resources are mixed')
  if (chunk.index !== expectedIndex) throw invalid('the pieces of a resource are out of order')
  if (chunk.content.length > CHUNK_BYTES) throw invalid('a piece of a resource is over 1 MiB')
  if (chunk.content.length === 0 && first.totalBytes > 0) throw invalid('a piece of a resource is empty')
}

function checkWhole(bytes: Buffer, first: ResourceChunk): void {
  if (bytes.length !== first.totalBytes) throw invalid('a resource is shorter than announced')
  if (!createHash('sha256').update(bytes).digest().equals(first.sha256)) {
    throw invalid('a resource does not have the announced SHA-256')
  }
}

function invalid(message: string): RpcError {
  return new RpcError('ERR_RPC_INVALID', message)
}
