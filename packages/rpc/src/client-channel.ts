import { Client, status as Status, type ClientDuplexStream, type ServiceError, type StatusObject } from '@grpc/grpc-js'
import { DEFAULT_KEY_EXCHANGE } from '@picket/mtls'
import { formatHostPort } from '@picket/runtime'
import { controlPlaneId } from './caller.ts'
import type { ControlPlaneClientDeps, ControlPlaneClientOptions } from './control-plane-client.ts'
import { VerifyingCredentials } from './credentials.ts'
import { LIMITS } from './limits.ts'
import { RpcError } from './rpc-error.ts'
import { decodeStatus } from './status.ts'

const CHANNEL_OPTIONS = {
  'grpc.max_receive_message_length': LIMITS.responseBytes,
  'grpc.max_send_message_length': LIMITS.requestBytes,
  'grpc.keepalive_time_ms': LIMITS.keepaliveMs,
  'grpc.keepalive_timeout_ms': LIMITS.keepaliveTimeoutMs,
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 2000,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.service_config_disable_resolution': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_channelz': 0,
} as const

/** The connection of one SVID. Retired, it takes no new calls and closes after its last one. */
export interface Channel {
  readonly client: Client
  /** What the channel knows of the other end. */
  readonly server: Pick<VerifyingCredentials, 'group' | 'isRefused'>
  /** The deadline of a call that begins now, in the transport's terms. */
  deadline(durationMs: number): { readonly deadline: number }
  /** One answer or one failure of a call that `signal` may cancel. */
  settle<Response>(
    signal: AbortSignal | undefined,
    start: (callback: (error: ServiceError | null, response?: Response) => void) => Cancellable,
  ): Promise<Response>
  /** Counts a stream as a call in flight until it has its status. */
  track(call: ClientDuplexStream<never, unknown>): void
  /** What the status of a failed call is to its caller. */
  failure(status: StatusObject): RpcError
  retire(): void
  /** Cancels what is in flight, which then fails for `reason`; resolves when it has ended. */
  close(reason?: RpcError): Promise<void>
  /** It was closed for no reason but that nobody needs it any more. */
  readonly isDisposed: boolean
}

interface Cancellable {
  cancel(): void
}

export function createChannel(
  { svid, bundles, clock }: ControlPlaneClientDeps,
  { address, trustDomain, keyExchange = DEFAULT_KEY_EXCHANGE }: ControlPlaneClientOptions,
  onClosed: () => void,
): Channel {
  const { handshakeTimeoutMs } = LIMITS
  const expectation = { svid: svid?.value, bundles, expected: controlPlaneId(trustDomain), keyExchange }
  const credentials = new VerifyingCredentials({ ...expectation, handshakeTimeoutMs }, clock)
  const client = new Client(`dns:${formatHostPort(address)}`, credentials, CHANNEL_OPTIONS)
  const calls = new Set<Cancellable>()
  let retired = false
  let closing: { readonly reason: RpcError | undefined } | undefined
  const { promise: closed, resolve: resolveClosed } = Promise.withResolvers<void>()

  function leave(call: Cancellable): void {
    calls.delete(call)
    closeWhenIdle()
  }

  function closeWhenIdle(): void {
    if (!retired || calls.size > 0) return
    client.close()
    onClosed()
    resolveClosed()
  }

  function retire(): void {
    retired = true
    closeWhenIdle()
  }

  function failure(status: StatusObject): RpcError {
    return (status.code === Status.CANCELLED && closing?.reason) || toFailure(status, credentials)
  }

  return {
    client,
    server: credentials,
    failure,
    retire,
    deadline: (durationMs) => ({ deadline: clock.now() + durationMs }),
    settle: (signal, start) => settle(signal, start, { enter: (call) => void calls.add(call), leave, failure }),
    track(call) {
      calls.add(call)
      call.once('status', () => leave(call))
    },
    get isDisposed() {
      return closing !== undefined && closing.reason === undefined
    },
    close(reason) {
      closing ??= { reason }
      retire()
      for (const call of calls) call.cancel()
      return closed
    },
  }
}

interface CallKeeper {
  enter(call: Cancellable): void
  leave(call: Cancellable): void
  failure(status: StatusObject): RpcError
}

async function settle<Response>(
  signal: AbortSignal | undefined,
  start: (callback: (error: ServiceError | null, response?: Response) => void) => Cancellable,
  keeper: CallKeeper,
): Promise<Response> {
  if (signal?.aborted) throw new RpcError('ERR_RPC_CANCELLED', 'cancelled before it began')
  const { promise, resolve, reject } = Promise.withResolvers<Response>()
  const call = start((error, response) => (error ? reject(keeper.failure(error)) : resolve(response!)))
  const cancel = (): void => call.cancel()
  keeper.enter(call)
  signal?.addEventListener('abort', cancel, { once: true })
  try {
    return await promise
  } finally {
    signal?.removeEventListener('abort', cancel)
    keeper.leave(call)
  }
}

/** A server that was not the expected one looks to the transport like one that is not there; the last error tells. */
function toFailure(status: StatusObject, { refusal }: VerifyingCredentials): RpcError {
  const refused = status.code === Status.UNAVAILABLE && refusal && status.details.includes(refusal.message)
  if (!refused) return decodeStatus(status)
  return new RpcError('ERR_RPC_WRONG_SERVER', refusal.message, { reason: refusal.code })
}
