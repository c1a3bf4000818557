import type { ServerDuplexStream } from '@grpc/grpc-js'
import type { Clock } from '@picket/runtime'
import type { Wire } from './contract.ts'
import type { SyncServerStream } from './handlers.ts'
import { createTokenBucket, LIMITS } from './limits.ts'
import { wellFormed, type Read } from './malformed.ts'
import type { SyncRequestMessage } from './messages.ts'
import { RpcError } from './rpc-error.ts'
import { decodeSyncRequest, encodeSyncPush } from './sync-codec.ts'

/** Messages, of up to 1 MiB each, that wait for the transport at one time. */
const QUEUED_MESSAGES = 2

type Call = ServerDuplexStream<Read<Wire<'Sync/Sync'>['requestRead']>, Wire<'Sync/Sync'>['responseSent']>

interface StreamDeps {
  readonly clock: Clock
  /** End of the caller's SVID: the stream does not outlive it. */
  readonly expiresAt: Date
  /** Ends the call with the status of what went wrong, and records it. */
  readonly fail: (thrown: unknown) => void
}

export function createSyncServerStream(call: Call, { clock, expiresAt, fail }: StreamDeps): SyncServerStream {
  const drainListeners: (() => void)[] = []
  const endListeners: (() => void)[] = []
  const messageListeners: ((message: SyncRequestMessage) => void)[] = []
  const rate = createTokenBucket(LIMITS.syncMessages, clock)
  const expiry = clock.after(expiresAt.getTime() - clock.now(), () => {
    end(new RpcError('ERR_RPC_UNAUTHENTICATED', 'the client certificate has expired'))
  })
  let open = true

  function end(error?: Error): void {
    if (!open) return
    open = false
    expiry[Symbol.dispose]()
    if (error) fail(error)
    else call.end()
    for (const listener of endListeners) listener()
  }

  function accept(request: Read<Wire<'Sync/Sync'>['requestRead']>): void {
    if (!open) return
    try {
      if (!rate.take()) throw new RpcError('ERR_RPC_EXHAUSTED', 'too many messages')
      const message = decodeSyncRequest(wellFormed(request))
      if (message) for (const listener of messageListeners) listener(message)
    } catch (thrown) {
      end(thrown as Error)
    }
  }

  /** The stream's own mark is 16 messages whatever their size; ours bounds what waits for a sidecar that does not read. */
  const isFull = (): boolean => call.writableLength >= QUEUED_MESSAGES
  let full = false

  function written(): void {
    if (!full || isFull()) return
    full = false
    for (const listener of drainListeners) listener()
  }

  call.on('data', accept)
  call.once('end', () => end())
  call.once('cancelled', () => end())
  call.once('close', () => end())

  return {
    send(push) {
      if (!open) return false
      call.write(encodeSyncPush(push), written)
      full = isFull()
      return !full
    },
    onDrain: (listener) => void drainListeners.push(listener),
    onMessage: (listener) => void messageListeners.push(listener),
    onEnd: (listener) => void endListeners.push(listener),
    end,
  }
}
