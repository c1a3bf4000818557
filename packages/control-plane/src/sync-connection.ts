import type { SpiffeId } from '@picket/identity'
import { RpcError, type Hello, type Report, type SyncRequestMessage, type SyncServerStream } from '@picket/rpc'
import type { Standing, SyncResources } from './sync-resources.ts'
import { createSyncSender } from './sync-sender.ts'
import { nextResource, nextSyncState, type SyncState } from './sync-state.ts'

/** Whose stream it is. */
export interface SyncIdentity {
  readonly id: SpiffeId
  readonly serialNumber: string
  readonly notAfter: Date
}

/** How a stream began. */
export interface Opening {
  readonly identity: SyncIdentity
  readonly hello: Hello
  readonly standing: Standing
}

/**
 * One sidecar's stream: what it has said, what it was sent. At most one resource is on its way at a time and always the
 * newest of its kind follows, so that nothing queues up for a slow sidecar.
 */
export interface SyncConnection {
  readonly identity: SyncIdentity
  readonly hello: Hello
  readonly standing: Standing
  readonly state: SyncState
  readonly report: Report | undefined
  /** Something that the sidecar should have may be newer: sends what it lacks, as far as the transport takes it. */
  wake(): void
  rotate(): void
  /** What its evidence entitles it to now. */
  confirm(standing: Standing): void
  receive(message: SyncRequestMessage): void
  end(error?: Error): void
}

export function createSyncConnection(
  stream: SyncServerStream,
  opening: Opening,
  resources: Pick<SyncResources, 'follow' | 'chunksOf'>,
): SyncConnection {
  let { standing } = opening
  let followed = resources.follow(standing)
  let state = nextSyncState(new Map(), opening.hello)
  let report: Report | undefined

  const sender = createSyncSender(stream, () => {
    const resource = nextResource(state, followed.wanted())
    if (!resource) return undefined
    state = nextSyncState(state, { kind: 'sent', resource })
    return resources.chunksOf(resource)
  })

  return {
    identity: opening.identity,
    hello: opening.hello,
    get standing() {
      return standing
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
      standing = confirmed
      followed = resources.follow(confirmed)
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
