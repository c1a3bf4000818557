import { Server, type handleServerStreamingCall, type handleUnaryCall } from '@grpc/grpc-js'
import { withoutThrowing, wellFormed, type Read } from '../malformed.ts'
import {
  decodeJwtSvidRequest,
  decodeValidateRequest,
  encodeJwtBundles,
  encodeJwtSvids,
  encodeValidated,
  encodeX509Bundles,
  encodeX509Svids,
} from './api-codec.ts'
import {
  serviceDefinitions,
  WORKLOAD_API,
  type RequestRead,
  type ResponseSent,
  type WorkloadDefinition,
  type WorkloadMethod,
} from './definitions.ts'
import { admitWorkload, checkSecurityHeader, refuseWorkload, type WorkloadEdge } from './edge.ts'
import type { Standing, WorkloadHandlers } from './handlers.ts'
import { followState, onlyChanges } from './state-stream.ts'

type Request<M extends WorkloadMethod> = RequestRead<WorkloadDefinition<M>>
type Response<M extends WorkloadMethod> = ResponseSent<WorkloadDefinition<M>>

/** The five calls of the SPIFFE Workload API. */
export function addWorkloadApi<Caller>(
  server: Server,
  edge: WorkloadEdge<Caller>,
  handlers: WorkloadHandlers<Caller>,
): void {
  const definitions = serviceDefinitions(WORKLOAD_API)
  const streams = <State, M extends WorkloadMethod>(
    method: M,
    encode: (state: State) => Response<M>,
    watch: (caller: Caller) => Standing<State>,
  ) => answerStream(edge, method, (state: State) => definitions[method]!.responseSerialize(encode(state)), watch)
  const calls = <M extends WorkloadMethod>(
    method: M,
    handle: (request: Request<M>, caller: Caller, signal: AbortSignal) => Promise<Response<M>>,
  ) => answerCall(edge, method, handle, definitions[method]!.responseSerialize as (response: Response<M>) => Buffer)

  const table = {
    FetchX509SVID: streams('FetchX509SVID', encodeX509Svids, (caller) => handlers.x509Svids(caller)),
    FetchX509Bundles: streams('FetchX509Bundles', encodeX509Bundles, (caller) => handlers.x509Bundles(caller)),
    FetchJWTBundles: streams('FetchJWTBundles', encodeJwtBundles, (caller) => handlers.jwtBundles(caller)),
    FetchJWTSVID: calls('FetchJWTSVID', async (request, caller, signal) =>
      encodeJwtSvids(await handlers.fetchJwtSvids(decodeJwtSvidRequest(request), caller, signal)),
    ),
    ValidateJWTSVID: calls('ValidateJWTSVID', async (request, caller) =>
      encodeValidated(await handlers.validateJwtSvid(decodeValidateRequest(request), caller)),
    ),
  } satisfies Record<WorkloadMethod, unknown>
  for (const [method, handler] of Object.entries(table)) {
    const { path, requestDeserialize, responseStream } = definitions[method]!
    const type = responseStream ? 'serverStream' : 'unary'
    server.register(path, handler as never, toItself, withoutThrowing(requestDeserialize), type)
  }
}

/** Messages are encoded before they are handed to the transport. */
export const toItself = (bytes: Buffer): Buffer => bytes

function answerStream<Caller, State>(
  edge: WorkloadEdge<Caller>,
  method: WorkloadMethod,
  encode: (state: State) => Buffer,
  watch: (caller: Caller) => Standing<State>,
): handleServerStreamingCall<Read<object>, Buffer> {
  return (call) => {
    const fail = (thrown: unknown): void => void call.emit('error', refuseWorkload(edge, method, call, thrown))
    const answer = async (): Promise<void> => {
      checkSecurityHeader(call.metadata)
      wellFormed(call.request)
      const caller = await admitWorkload(edge, call)
      if (call.cancelled) return
      followState(call, { state: watch(caller), encode: onlyChanges(encode), fail, streams: edge.streams })
    }
    answer().catch(fail)
  }
}

function answerCall<Caller, M extends WorkloadMethod>(
  edge: WorkloadEdge<Caller>,
  method: M,
  handle: (request: Request<M>, caller: Caller, signal: AbortSignal) => Promise<Response<M>>,
  encode: (response: Response<M>) => Buffer,
): handleUnaryCall<Read<Request<M>>, Buffer> {
  return (call, callback) => {
    const gone = new AbortController()
    call.once('cancelled', () => gone.abort(new Error('the caller is gone')))
    const answer = async (): Promise<Buffer> => {
      checkSecurityHeader(call.metadata)
      const request = wellFormed(call.request)
      const caller = await admitWorkload(edge, call)
      return encode(await handle(request, caller, gone.signal))
    }
    answer().then(
      (bytes) => callback(null, bytes),
      (thrown: unknown) => callback(refuseWorkload(edge, method, call, thrown)),
    )
  }
}
