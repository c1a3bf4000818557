import { status as Status, type ClientDuplexStream, type StatusObject } from '@grpc/grpc-js'
import { createReassembler, DELTA_REFUSED, RESOURCE_BYTES } from './chunks.ts'
import type { Channel } from './client-channel.ts'
import type { SyncClientStream, SyncOptions } from './control-plane-client.ts'
import { methodDefinition, type Wire } from './contract.ts'
import type { Resource, SyncPush, SyncRequestMessage } from './messages.ts'
import { RpcError } from './rpc-error.ts'
import { decodeSyncPush, encodeSyncRequest } from './sync-codec.ts'

/** Opens a stream on `channel`; it ends when `signal` aborts, also on a channel that has retired since. */
export function openSyncStream(channel: Channel, signal: AbortSignal, options: SyncOptions = {}): SyncClientStream {
  const call = openCall(channel)
  const reassembler = createReassembler(RESOURCE_BYTES, {
    baseOf: (kind, revision) => options.baseOf?.(kind, revision),
    mismatched: ({ kind: resource, revision }) => send({ kind: 'nack', resource, revision, ...DELTA_REFUSED }),
  })
  const resourceListeners: ((resource: Resource) => void)[] = []
  const rotateListeners: (() => void)[] = []
  const { promise: closed, resolve } = Promise.withResolvers<RpcError | undefined>()
  let failure: RpcError | undefined

  function send(message: SyncRequestMessage): void {
    if (call.writable) call.write(encodeSyncRequest(message))
  }

  function accept(push: SyncPush | undefined): void {
    if (push?.kind === 'rotate-svid') for (const listener of rotateListeners) listener()
    const resource = push?.kind === 'chunk' ? reassembler.accept(push.chunk) : undefined
    if (resource) for (const listener of resourceListeners) listener(resource)
  }

  call.on('data', (response) => {
    try {
      if (!signal.aborted && !failure) accept(decodeSyncPush(response))
    } catch (thrown) {
      failure =
        thrown instanceof RpcError ? thrown : new RpcError('ERR_RPC_INTERNAL', 'a listener failed', { cause: thrown })
      call.cancel()
    }
  })
  call.on('error', () => {}) // told again, and for successes too, as 'status'
  call.once('status', (status: StatusObject) => {
    signal.removeEventListener('abort', cancel)
    const inOrder = status.code === Status.OK || signal.aborted || channel.isDisposed
    resolve(failure ?? (inOrder ? undefined : channel.failure(status)))
  })
  const cancel = (): void => call.cancel()
  if (signal.aborted) cancel()
  else signal.addEventListener('abort', cancel, { once: true })

  return {
    closed,
    send,
    onOpen: (listener) => void call.once('metadata', listener),
    onResource: (listener) => void resourceListeners.push(listener),
    onRotate: (listener) => void rotateListeners.push(listener),
  }
}

type Call = ClientDuplexStream<Wire<'Sync/Sync'>['requestSent'], Wire<'Sync/Sync'>['responseRead']>

function openCall(channel: Channel): Call {
  const { path, requestSerialize, responseDeserialize } = methodDefinition('Sync/Sync')
  const call: Call = channel.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize)
  channel.track(call)
  return call
}
