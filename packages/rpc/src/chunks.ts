import { createHash } from 'node:crypto'
import { applyDelta } from './delta.ts'
import type { Resource, ResourceChunk, ResourceKindName } from './messages.ts'
import { RpcError } from './rpc-error.ts'

/** Largest content of one chunk. */
export const CHUNK_BYTES = 1024 * 1024

/** Largest resource, and largest policy upload. */
export const RESOURCE_BYTES = 64 * 1024 * 1024

/** Most pieces that a reader takes: senders may cut smaller than we do, but not into dust. */
const PIECES = 4096

/** The pieces of a resource in order, sharing its memory; one empty piece for an empty resource. */
export function chunkResource({ kind, revision, bytes }: Resource): readonly ResourceChunk[] {
  return cut({ kind, revision, baseRevision: '', sha256: createHash('sha256').update(bytes).digest() }, bytes)
}

/** The pieces of a delta that leads from `baseRevision` to the resource. */
export function chunkDelta(resource: Resource, baseRevision: string, delta: Buffer): readonly ResourceChunk[] {
  const { kind, revision, bytes } = resource
  return cut({ kind, revision, baseRevision, sha256: createHash('sha256').update(bytes).digest() }, delta)
}

function cut(
  head: Pick<ResourceChunk, 'kind' | 'revision' | 'baseRevision' | 'sha256'>,
  bytes: Buffer,
): readonly ResourceChunk[] {
  const count = Math.max(1, Math.ceil(bytes.length / CHUNK_BYTES))
  return Array.from({ length: count }, (_, index) => {
    const content = bytes.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES)
    return { ...head, index, count, totalBytes: bytes.length, content }
  })
}

export interface Reassembler {
  /**
   * The resource when `chunk` was its last piece. Throws `ERR_RPC_INVALID` for pieces out of order, mixed, too many, too
   * large or altered; the stream that they came on is then of no further use.
   */
  accept(chunk: ResourceChunk): Resource | undefined
}

/** What a delta needs at the end that it comes to. */
export interface DeltaBases {
  /** The bytes of a revision that is held. */
  baseOf(kind: ResourceKindName, revision: string): Buffer | undefined
  /** The delta to this revision leads nowhere from what is held: the whole is needed. */
  mismatched(chunk: ResourceChunk): void
}

/** What the sender of a delta is told then. */
export const DELTA_REFUSED = { code: 'ERR_DELTA_BASE', message: 'the delta does not fit what is held' } as const

const NO_BASES: DeltaBases = { baseOf: () => undefined, mismatched() {} }

/** Memory is bounded by `maxBytes`: no piece is kept that the first one did not announce. */
export function createReassembler(maxBytes: number = RESOURCE_BYTES, bases: DeltaBases = NO_BASES): Reassembler {
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
      const content = Buffer.concat(pieces, gatheredBytes)
      if (content.length !== first.totalBytes) throw invalid('a resource is shorter than announced')
      first = undefined
      pieces = []
      gatheredBytes = 0
      const bytes = chunk.baseRevision === '' ? checkWhole(content, chunk) : resolve(content, chunk, maxBytes, bases)
      return bytes && { kind: chunk.kind, revision: chunk.revision, bytes }
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
    chunk.baseRevision === first.baseRevision &&
    chunk.count === first.count &&
    chunk.totalBytes === first.totalBytes &&
    chunk.sha256.equals(first.sha256)
  if (!same) throw invalid('the pieces of two resources are mixed')
  if (chunk.index !== expectedIndex) throw invalid('the pieces of a resource are out of order')
  if (chunk.content.length > CHUNK_BYTES) throw invalid('a piece of a resource is over 1 MiB')
  if (chunk.content.length === 0 && first.totalBytes > 0) throw invalid('a piece of a resource is empty')
}

function checkWhole(bytes: Buffer, { sha256 }: ResourceChunk): Buffer {
  if (isWhole(bytes, sha256)) return bytes
  throw invalid('a resource does not have the announced SHA-256')
}

function isWhole(bytes: Buffer, sha256: Buffer): boolean {
  return createHash('sha256').update(bytes).digest().equals(sha256)
}

/** A delta that does not come out right is no fault of the stream: the two ends think differently of what is held. */
function resolve(delta: Buffer, chunk: ResourceChunk, maxBytes: number, bases: DeltaBases): Buffer | undefined {
  const base = bases.baseOf(chunk.kind, chunk.baseRevision)
  const bytes = base && tryDelta(base, delta, maxBytes)
  if (bytes && isWhole(bytes, chunk.sha256)) return bytes
  bases.mismatched(chunk)
  return undefined
}

function tryDelta(base: Buffer, delta: Buffer, maxBytes: number): Buffer | undefined {
  try {
    return applyDelta(base, delta, maxBytes)
  } catch {
    return undefined
  }
}

function invalid(message: string): RpcError {
  return new RpcError('ERR_RPC_INVALID', message)
}
