import type { SpiffeId } from '@picket/identity'
import type { Hello, Report, Resource, ResourceChunk, SyncRequestMessage, SyncServerStream } from '@picket/rpc'
import { RpcError } from '@picket/rpc'
import type { RegistrationEntry } from './entries.ts'
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

interface ConnectionDeps {
  /** What a sidecar of this entry should have, most needed first. */
  wanted(entry: RegistrationEntry): readonly Resource[]
  chunksOf(resource: Resource): readonly ResourceChunk[]
}

export function createSyncConnection(
  stream: SyncServerStream,
  opening: { readonly identity: SyncIdentity; readonly hello: Hello; readonly entry: RegistrationEntry },
  { wanted, chunksOf }: ConnectionDeps,
): SyncConnection {
  let { entry } = opening
  let state = nextSyncState(new Map(), opening.hello)
  let report: Report | undefined
  let rotation = false
  let full = false
  let transfer: { readonly resource: Resource; readonly rest: ResourceChunk[] } | undefined

  /** False: there is nothing to send. */
  function sendNext(): boolean {
    if (rotation) {
      rotation = false
      full = !stream.send({ kind: 'rotate-svid' })
      return true
    }
    transfer ??= beginTransfer()
    const chunk = transfer?.rest.shift()
    if (!transfer || !chunk) return false
    full = !stream.send({ kind: 'chunk', chunk })
    if (transfer.rest.length === 0) transfer = undefined
    return true
  }

  function beginTransfer(): typeof transfer {
    const resource = nextResource(state, wanted(entry))
    if (!resource) return undefined
    state = nextSyncState(state, { kind: 'sent', resource })
    return { resource, rest: [...chunksOf(resource)] }
  }

  function wake(): void {
    while (!full && sendNext());
  }

  stream.onDrain(() => {
    full = false
    wake()
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
    wake,
    rotate() {
      rotation = true
      wake()
    },
    confirm(confirmed) {
      entry = confirmed
      wake()
    },
    receive(message) {
      if (message.kind === 'hello') throw new RpcError('ERR_RPC_INVALID', 'a second Hello on one stream')
      if (message.kind === 'report') report = message
      else state = nextSyncState(state, message)
    },
    end: (error) => stream.end(error),
  }
}
