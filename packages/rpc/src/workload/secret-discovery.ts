import type { handleBidiStreamingCall, handleUnaryCall, Server } from '@grpc/grpc-js'
import { createTokenBucket } from '../limits.ts'
import { wellFormed, withoutThrowing, type Read } from '../malformed.ts'
import { RpcError } from '../rpc-error.ts'
import { toItself } from './api.ts'
import {
  SECRET_DISCOVERY,
  serviceDefinitions,
  type RequestRead,
  type SecretDefinition,
  type SecretMethod,
} from './definitions.ts'
import { admitWorkload, refuseWorkload, type WorkloadEdge } from './edge.ts'
import type { WorkloadHandlers } from './handlers.ts'
import { WORKLOAD_LIMITS } from './limits.ts'
import type { SecretState } from './messages.ts'
import { SECRET_TYPE, versionOf } from './secret-codec.ts'
import { dialectOf, selectKnownSecrets } from './secret-selection.ts'
import {
  checkCount,
  checkType,
  createDeltaSubscription,
  createStateSubscription,
  type SecretSubscription,
  type SubscriptionDeps,
} from './secret-subscription.ts'
import { followState, type StateStream } from './state-stream.ts'

type Request<M extends SecretMethod> = RequestRead<SecretDefinition<M>>

/** Envoy's secret discovery service v3. Envoy sends no security header, and SPIRE asks for none. */
export function addSecretDiscovery<Caller>(
  server: Server,
  edge: WorkloadEdge<Caller>,
  handlers: WorkloadHandlers<Caller>,
): void {
  const definitions = serviceDefinitions(SECRET_DISCOVERY)
  const encoder = (method: SecretMethod) => definitions[method]!.responseSerialize
  const table = {
    StreamSecrets: answerDiscovery(edge, handlers, 'StreamSecrets', createStateSubscription, encoder('StreamSecrets')),
    DeltaSecrets: answerDiscovery(edge, handlers, 'DeltaSecrets', createDeltaSubscription, encoder('DeltaSecrets')),
    FetchSecrets: answerFetch(edge, handlers, encoder('FetchSecrets')),
  } satisfies Record<SecretMethod, unknown>
  for (const [method, handler] of Object.entries(table)) {
    const { path, requestDeserialize, responseStream } = definitions[method]!
    server.register(
      path,
      handler as never,
      toItself,
      withoutThrowing(requestDeserialize),
      responseStream ? 'bidi' : 'unary',
    )
  }
}

function answerDiscovery<Caller, M extends SecretMethod, Response extends object>(
  edge: WorkloadEdge<Caller>,
  handlers: WorkloadHandlers<Caller>,
  method: M,
  create: (deps: SubscriptionDeps) => SecretSubscription<Request<M>, Response>,
  encode: (response: Response) => Buffer,
): handleBidiStreamingCall<Read<Request<M>>, Buffer> {
  return (call) => {
    const fail = (thrown: unknown): void => void call.emit('error', refuseWorkload(edge, method, call, thrown))
    const peer = call.getPeer()
    const subscription = create({
      refused: (error) =>
        edge.logger.warn('envoy refused its secrets', { connection: peer, error: error.slice(0, 500) }),
    })
    const rate = createTokenBucket(WORKLOAD_LIMITS.streamMessages, edge.clock)
    let stream: StateStream | undefined
    let early: unknown

    const refuse = (thrown: unknown): void => {
      early ??= thrown
      stream?.end(thrown as Error)
    }
    call.on('data', (request: Read<Request<M>>) => {
      if (early !== undefined) return
      try {
        if (!rate.take()) throw new RpcError('ERR_RPC_UNAVAILABLE', 'too many messages')
        subscription.accept(wellFormed(request))
        stream?.refresh()
      } catch (thrown) {
        refuse(thrown)
      }
    })
    call.once('end', () => stream?.end())

    const follow = async (): Promise<void> => {
      const caller = await admitWorkload(edge, call)
      if (early !== undefined) throw early as Error
      if (call.cancelled) return
      const next = (state: SecretState): Buffer | undefined => {
        const response = subscription.next(state)
        return response && encode(response)
      }
      stream = followState(call, { state: handlers.secrets(caller), encode: next, fail, streams: edge.streams })
    }
    follow().catch(fail)
  }
}

function answerFetch<Caller>(
  edge: WorkloadEdge<Caller>,
  handlers: WorkloadHandlers<Caller>,
  encode: (response: object) => Buffer,
): handleUnaryCall<Read<Request<'FetchSecrets'>>, Buffer> {
  return (call, callback) => {
    const answer = async (): Promise<Buffer> => {
      const { typeUrl, resourceNames, node } = wellFormed(call.request)
      checkType(typeUrl)
      checkCount(resourceNames.length)
      const standing = handlers.secrets(await admitWorkload(edge, call)).value
      if (standing instanceof RpcError) throw standing
      const names = resourceNames.filter((name) => name !== '')
      const secrets = selectKnownSecrets(standing, names, dialectOf(node))
      const resources = secrets.map(({ any }) => any)
      return encode({ versionInfo: versionOf(secrets), typeUrl: SECRET_TYPE, resources })
    }
    answer().then(
      (bytes) => callback(null, bytes),
      (thrown: unknown) => callback(refuseWorkload(edge, 'FetchSecrets', call, thrown)),
    )
  }
}
