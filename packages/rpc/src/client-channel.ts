import {
  Client,
  status as Status,
  type ClientDuplexStream,
  type ClientWritableStream,
  type ServiceError,
  type StatusObject,
} from '@grpc/grpc-js'
import { formatHostPort } from '@picket/runtime'
import { controlPlaneId } from './caller.ts'
import { CHUNK_BYTES } from './chunks.ts'
import type { CallOptions, ControlPlaneClientDeps, ControlPlaneClientOptions } from './client.ts'
import { UNARY, type Codec, type RequestOf, type ResponseOf, type UnaryMethod } from './codec.ts'
import { methodDefinition, type Wire } from './contract.ts'
import { VerifyingCredentials } from './credentials.ts'
import { LIMITS } from './limits.ts'
import type { PolicyRevision } from './messages.ts'
import { RpcError } from './rpc-error.ts'
import { decodeStatus } from './status.ts'

const CALL_MS = 10_000
const UPLOAD_MS = 60_000

const CHANNEL_OPTIONS = {
  'grpc.max_receive_message_length': LIMITS.messageBytes,
  'grpc.max_send_message_length': LIMITS.messageBytes,
  'grpc.keepalive_time_ms': LIMITS.keepaliveMs,
  'grpc.keepalive_timeout_ms': LIMITS.keepaliveTimeoutMs,
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 2000,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.service_config_disable_resolution': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_channelz': 0,
} as const

export type SyncCall = ClientDuplexStream<Wire<'Sync/Sync'>['requestSent'], Wire<'Sync/Sync'>['responseRead']>

/** The connection of one SVID generation. Retired, it takes no new calls and closes after its last one. */
export interface Channel {
  readonly retired: AbortSignal
  unary<M extends UnaryMethod>(method: M, request: RequestOf<M>, call?: CallOptions): Promise<ResponseOf<M>>
  upload(bundle: Buffer, call?: CallOptions): Promise<PolicyRevision>
  sync(): SyncCall
  retire(): void
  /** Cancels what is in flight; resolves when it has ended. */
  close(): Promise<void>
  /** What the status of a failed call is to its caller. */
  failure(status: StatusObject): RpcError
}

type Callback<Response> = (error: ServiceError | null, response?: Response) => void

export function createChannel(
  { svid, bundles, clock }: ControlPlaneClientDeps,
  { address, trustDomain }: ControlPlaneClientOptions,
  onClosed: () => void,
): Channel {
  const { handshakeTimeoutMs } = LIMITS
  const expectation = { svid: svid?.value, bundles: bundles.value, expected: controlPlaneId(trustDomain) }
  const credentials = new VerifyingCredentials({ ...expectation, handshakeTimeoutMs }, clock)
  const client = new Client(`dns:${formatHostPort(address)}`, credentials, CHANNEL_OPTIONS)
  const calls = new Set<{ cancel(): void }>()
  const retirement = new AbortController()
  const { promise: closed, resolve: resolveClosed } = Promise.withResolvers<void>()

  function leave(call: { cancel(): void }): void {
    calls.delete(call)
    closeWhenIdle()
  }

  function closeWhenIdle(): void {
    if (!retirement.signal.aborted || calls.size > 0) return
    client.close()
    onClosed()
    resolveClosed()
  }

  function failure(status: StatusObject): RpcError {
    const { refusal } = credentials
    if (status.code !== Status.UNAVAILABLE || !refusal) return decodeStatus(status)
    return new RpcError('ERR_RPC_WRONG_SERVER', refusal.message, { reason: refusal.code })
  }

  /** One answer or one failure of a call that `signal` may cancel. */
  function settle<Response>(
    signal: AbortSignal | undefined,
    start: (callback: Callback<Response>) => { cancel(): void },
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(new RpcError('ERR_RPC_CANCELLED', 'cancelled before it began'))
      const cancel = (): void => call.cancel()
      const call = start((error, response) => {
        signal?.removeEventListener('abort', cancel)
        leave(call)
        if (error) reject(failure(error))
        else resolve(response as Response)
      })
      calls.add(call)
      signal?.addEventListener('abort', cancel, { once: true })
    })
  }

  const deadline = (durationMs: number): { deadline: number } => ({ deadline: clock.now() + durationMs })

  return {
    retired: retirement.signal,
    failure,
    async unary<M extends UnaryMethod>(method: M, request: RequestOf<M>, options: CallOptions = {}) {
      const { path, requestSerialize, responseDeserialize } = methodDefinition(method)
      const codec = UNARY[method] as unknown as Codec<M, RequestOf<M>, ResponseOf<M>>
      const message = codec.encodeRequest(request) as object
      const until = deadline(options.deadlineMs ?? CALL_MS)
      const response = await settle<object>(options.signal, (callback) =>
        client.makeUnaryRequest(path, requestSerialize, responseDeserialize, message, until, callback),
      )
      return codec.decodeResponse(response as Wire<M>['responseRead'])
    },
    upload(bundle, options = {}) {
      const { path, requestSerialize, responseDeserialize } = methodDefinition('Admin/PushPolicy')
      const until = deadline(options.deadlineMs ?? UPLOAD_MS)
      return settle<PolicyRevision>(options.signal, (callback) => {
        const answer = callback as Callback<object>
        const call = client.makeClientStreamRequest(path, requestSerialize, responseDeserialize, until, answer)
        call.on('error', () => {}) // a refusal in mid-upload fails the writes behind it; the answer tells why
        void writePieces(call, bundle)
        return call
      })
    },
    sync() {
      const { path, requestSerialize, responseDeserialize } = methodDefinition('Sync/Sync')
      const call: SyncCall = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize as never)
      calls.add(call)
      call.once('status', () => leave(call))
      return call
    },
    retire() {
      retirement.abort()
      closeWhenIdle()
    },
    close() {
      this.retire()
      for (const call of calls) call.cancel()
      return closed
    },
  }
}

/** One piece at a time, so that the transport holds no more than it must. Never rejects. */
async function writePieces(call: ClientWritableStream<object>, bundle: Buffer): Promise<void> {
  for (let at = 0; at < bundle.length; at += CHUNK_BYTES) {
    const content = bundle.subarray(at, at + CHUNK_BYTES)
    await new Promise<unknown>((written) => call.write({ content }, written))
  }
  call.end()
}
