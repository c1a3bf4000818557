import { RESOURCE_BYTES } from './chunks.ts'
import { draftOf, present, type UploadMethod } from './codec.ts'
import type { Wire } from './contract.ts'
import type { ApplyEntriesRequest, EntryChange } from './admin-messages.ts'
import { wellFormed, type Read } from './malformed.ts'
import { RpcError } from './rpc-error.ts'

type Pieces<M extends UploadMethod> = AsyncIterable<Read<Wire<M>['requestRead']>>

/** Changes to a message, and in all: what a plan of 100 000 entries takes is still applied in one transaction. */
const CHANGES_PER_MESSAGE = 500
const MOST_CHANGES = 100_000

/** A policy bundle from its pieces. Throws `ERR_RPC_INVALID` as soon as it is too large. */
export async function gatherPolicy(pieces: Pieces<'Admin/PushPolicy'>): Promise<Buffer> {
  const contents: Buffer[] = []
  let gatheredBytes = 0
  for await (const piece of pieces) {
    const { content } = wellFormed(piece)
    gatheredBytes += content.length
    if (gatheredBytes > RESOURCE_BYTES) throw new RpcError('ERR_RPC_INVALID', 'the upload is over 64 MiB')
    contents.push(content)
  }
  return Buffer.concat(contents, gatheredBytes)
}

/** A set of changes from its pieces. Throws `ERR_RPC_INVALID`. */
export async function gatherChanges(pieces: Pieces<'Admin/ApplyEntries'>): Promise<ApplyEntriesRequest> {
  const changes: EntryChange[] = []
  let expectedRevision: number | undefined
  for await (const piece of pieces) {
    const message = wellFormed(piece)
    expectedRevision ??= message.expectedRevision
    if (message.changes.length > CHANGES_PER_MESSAGE || changes.length + message.changes.length > MOST_CHANGES) {
      throw new RpcError(
        'ERR_RPC_INVALID',
        `more than ${CHANGES_PER_MESSAGE} changes at once or ${MOST_CHANGES} in all`,
      )
    }
    changes.push(...message.changes.map(decodeChange))
  }
  return { expectedRevision: expectedRevision ?? 0, changes }
}

type WireChange = Wire<'Admin/ApplyEntries'>['requestRead']['changes'][number]

function decodeChange({ create, update, deleteId }: WireChange): EntryChange {
  if (create) return { kind: 'create', draft: draftOf(create) }
  if (update) return { kind: 'update', id: update.id, draft: draftOf(update) }
  return { kind: 'delete', id: present(deleteId, 'change') }
}

/** The messages of one set of changes, each within the limits. */
export function cutChanges({
  expectedRevision,
  changes,
}: ApplyEntriesRequest): Wire<'Admin/ApplyEntries'>['requestSent'][] {
  const count = Math.max(1, Math.ceil(changes.length / CHANGES_PER_MESSAGE))
  return Array.from({ length: count }, (_, index) => ({
    expectedRevision,
    changes: changes.slice(index * CHANGES_PER_MESSAGE, (index + 1) * CHANGES_PER_MESSAGE).map(encodeChange),
  }))
}

function encodeChange(change: EntryChange): { create?: object; update?: object; deleteId?: string } {
  switch (change.kind) {
    case 'create':
      return { create: change.draft }
    case 'update':
      return { update: { ...change.draft, id: change.id } }
    case 'delete':
      return { deleteId: change.id }
  }
}
