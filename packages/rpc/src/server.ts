import { Server, ServerCredentials } from '@grpc/grpc-js'
import type { BundleSource, TrustDomain, X509Svid } from '@picket/identity'
import { createMtlsListener, type KeyExchangeProfile } from '@picket/mtls'
import { formatHostPort, type Clock, type HostPort, type Logger, type Metrics, type Watch } from '@picket/runtime'
import { HealthImplementation } from 'grpc-health-check'
import { methodDefinition, type Definition, type Method } from './contract.ts'
import type { ControlPlaneHandlers, SyncServerStream } from './handlers.ts'
import { createCallLimiter, LIMITS } from './limits.ts'
import { withoutThrowing } from './malformed.ts'
import { RpcError } from './rpc-error.ts'
import { createPeerRegistry, type PeerRegistry } from './peer-registry.ts'
import { createAnswers } from './answers.ts'
import type { EdgeDeps } from './server-edge.ts'

export interface ControlPlaneServer extends AsyncDisposable {
  readonly address: HostPort
  /** What grpc.health.v1.Health answers; false until said otherwise. */
  setServing(serving: boolean): void
}

export interface ControlPlaneServerDeps {
  readonly svid: Watch<X509Svid>
  readonly bundles: Watch<BundleSource>
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics?: Metrics
}

export interface ControlPlaneServerOptions {
  readonly address: HostPort
  readonly trustDomain: TrustDomain
  /** How long calls in flight may take once the server is asked to stop; 10 s unless told. */
  readonly drainTimeoutMs?: number
  /** Default `hybrid-preferred`. */
  readonly keyExchange?: KeyExchangeProfile
}

const SERVER_OPTIONS = {
  'grpc.max_receive_message_length': LIMITS.requestBytes,
  'grpc.max_send_message_length': LIMITS.responseBytes,
  'grpc.max_concurrent_streams': LIMITS.concurrentStreams,
  'grpc.max_connection_idle_ms': LIMITS.idleMs,
  'grpc.keepalive_time_ms': LIMITS.keepaliveMs,
  'grpc.keepalive_timeout_ms': LIMITS.keepaliveTimeoutMs,
  'grpc.enable_channelz': 0,
}

/**
 * Listens and serves `handlers`. Throws what `createMtlsListener` throws. Disposal drains: health turns to
 * NOT_SERVING, streams end with UNAVAILABLE, calls in flight may finish until the deadline.
 */
export async function startControlPlaneServer(
  deps: ControlPlaneServerDeps,
  options: ControlPlaneServerOptions,
  handlers: ControlPlaneHandlers,
): Promise<ControlPlaneServer> {
  const peers = createPeerRegistry(deps)
  const streams = new Set<SyncServerStream>()
  const limiter = createCallLimiter(deps.clock)
  const edge = { ...deps, trustDomain: options.trustDomain, limiter, streams, peerOf: peers.peerOf }
  const server = new Server(SERVER_OPTIONS)
  registerHandlers(server, edge, handlers)
  const health = new HealthImplementation({ '': 'NOT_SERVING' })
  health.addToServer(server)

  const injector = server.createConnectionInjector(ServerCredentials.createInsecure())
  const listener = await createMtlsListener(
    deps,
    {
      address: options.address,
      clientCertificate: 'optional',
      alpn: ['h2'],
      ...(options.keyExchange && { keyExchange: options.keyExchange }),
      handshakeTimeoutMs: LIMITS.handshakeTimeoutMs,
      maxConnections: LIMITS.connections,
    },
    {
      connection(socket, peer) {
        if (peers.enter(socket, peer)) injector.injectConnection(socket)
      },
      refused({ code, message }, remote) {
        const from = remote && formatHostPort(remote)
        deps.logger.info('connection refused', { remote: from, code, error: message })
      },
    },
  )

  const rebundled = deps.bundles.subscribe((bundles) => peers.reverify(bundles))
  return {
    address: listener.address,
    setServing: (serving) => health.setStatus('', serving ? 'SERVING' : 'NOT_SERVING'),
    async [Symbol.asyncDispose]() {
      rebundled[Symbol.dispose]()
      health.setStatus('', 'NOT_SERVING')
      listener.stopAccepting()
      const stopping = new RpcError('ERR_RPC_UNAVAILABLE', 'the control plane is stopping')
      for (const stream of streams) stream.end(stopping)
      await drain(server, peers, deps.clock, options.drainTimeoutMs ?? 10_000)
      await listener[Symbol.asyncDispose]()
    },
  }
}

/** GOAWAY to every connection; each closes after its last call, and those that have not by the deadline are cut. */
async function drain(server: Server, peers: PeerRegistry, clock: Clock, timeoutMs: number): Promise<void> {
  const late = new AbortController()
  using _deadline = clock.after(timeoutMs, () => late.abort())
  server.tryShutdown(() => {}) // calls back at once on this Node, whatever is open: the connections tell when it is over
  await peers.drain(late.signal)
  server.forceShutdown()
}

function registerHandlers(server: Server, edge: EdgeDeps, handlers: ControlPlaneHandlers): void {
  for (const [method, handler] of Object.entries(createAnswers(edge, handlers))) {
    const definition = methodDefinition(method as Method)
    const { path, responseSerialize, requestDeserialize } = definition
    server.register(path, handler as never, responseSerialize, withoutThrowing(requestDeserialize), typeOf(definition))
  }
}

function typeOf({ requestStream, responseStream }: Definition): string {
  if (requestStream) return responseStream ? 'bidi' : 'clientStream'
  return responseStream ? 'serverStream' : 'unary'
}
