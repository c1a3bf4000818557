import type { SpiffeId } from '@picket/identity'
import { RpcError, type Hello, type Report, type SyncRequestMessage, type SyncServerStream } from '@picket/rpc'
import type { RegistrationEntry } from './entries.ts'
import type { SyncResources } from './sync-resources.ts'
import { createSyncSender } from './sync-sender.ts'
import { nextResource, nextSyncState, type SyncState } from './sync-state.ts'

/** Whose stream it is. */
export interface SyncIdentity {
  readonly id: SpiffeId
  readonly serialNumber: string
  readonly notAfter: Date
}

/**
 * One sidecar's stream: what it has said, what it was sent. At most one resource is on its way at a time and always the
 * newest of its kind follows, so that nothing queues up for a slow sidecar.
 */
export interface SyncConnection {
  readonly identity: SyncIdentity
  readonly hello: Hello
  readonly entry: RegistrationEntry
  readonly state: SyncState
  readonly report: Report | undefined
  /** Something that the sidecar should have may be newer: sends what it lacks, as far as the transport takes it. */
  wake(): void
  rotate(): void
  /** The entry that its identity hangs on now. */
  confirm(entry: RegistrationEntry): void
  receive(message: SyncRequestMessage): void
  end(error?: Error): void
}

export function createSyncConnection(
  stream: SyncServerStream,
  opening: { readonly identity: SyncIdentity; readonly hello: Hello; readonly entry: RegistrationEntry },
  resources: Pick<SyncResources, 'wanted' | 'chunksOf'>,
): SyncConnection {
  let { entry } = opening
  let state = nextSyncState(new Map(), opening.hello)
  let report: Report | undefined

  const sender = createSyncSender(stream, () => {
    const resource = nextResource(state, resources.wanted(entry))
    if (!resource) return undefined
    state = nextSyncState(state, { kind: 'sent', resource })
    return resources.chunksOf(resource)
  })

  return {
    identity: opening.identity,
    hello: opening.hello,
    get entry() {
      return entry
    },
    get state() {
      return state
    },
    get report() {
      return report
    },
    wake: () => sender.wake(),
    rotate: () => sender.rotate(),
    confirm(confirmed) {
      entry = confirmed
      sender.wake()
    },
    receive(message) {
      if (message.kind === 'hello') throw new RpcError('ERR_RPC_INVALID', 'a second Hello on one stream')
      if (message.kind === 'report') report = message
      else state = nextSyncState(state, message)
    },
    end: (error) => stream.end(error),
  }
}
