import type { Socket } from 'node:net'
import { Server, ServerCredentials } from '@grpc/grpc-js'
import type { Clock, Logger } from '@picket/runtime'
import { HealthImplementation } from 'grpc-health-check'
import { RpcError } from '../rpc-error.ts'
import { addWorkloadApi } from './api.ts'
import { createWorkloadConnections } from './connections.ts'
import { SECRET_DISCOVERY, WORKLOAD_API } from './definitions.ts'
import { createWorkloadEdge } from './edge.ts'
import type { WorkloadHandlers } from './handlers.ts'
import { WORKLOAD_LIMITS } from './limits.ts'
import { addReflection } from './reflection.ts'
import { addSecretDiscovery } from './secret-discovery.ts'

export interface WorkloadServerDeps {
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * The SPIFFE Workload API and Envoy's secret discovery for the processes of this host, with health and reflection. Who
 * listens, and where, is the caller's affair. Disposal ends streams with UNAVAILABLE and lets calls in flight finish.
 */
export interface WorkloadServer<Caller> extends AsyncDisposable {
  /** Takes over a connection; `attest` says who is at its other end, asked when a call has to be answered. */
  serve(socket: Socket, attest: () => Promise<Caller>): void
  /** What grpc.health.v1.Health answers; false until said otherwise. */
  setServing(serving: boolean): void
}

const SERVER_OPTIONS = {
  'grpc.max_receive_message_length': WORKLOAD_LIMITS.requestBytes,
  'grpc.max_send_message_length': WORKLOAD_LIMITS.responseBytes,
  'grpc.max_concurrent_streams': WORKLOAD_LIMITS.concurrentStreams,
  'grpc.max_connection_idle_ms': WORKLOAD_LIMITS.idleMs,
  'grpc.enable_channelz': 0,
}

const DRAIN_MS = 2000

export function createWorkloadServer<Caller>(
  deps: WorkloadServerDeps,
  handlers: WorkloadHandlers<Caller>,
): WorkloadServer<Caller> {
  const connections = createWorkloadConnections<Caller>(deps)
  const edge = createWorkloadEdge(deps, connections)
  const server = new Server(SERVER_OPTIONS)
  addWorkloadApi(server, edge, handlers)
  addSecretDiscovery(server, edge, handlers)
  addReflection(server, edge)
  const health = new HealthImplementation({})
  const setServing = (serving: boolean): void => {
    for (const service of ['', WORKLOAD_API, SECRET_DISCOVERY]) {
      health.setStatus(service, serving ? 'SERVING' : 'NOT_SERVING')
    }
  }
  setServing(false)
  health.addToServer(server)
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure())

  return {
    setServing,
    serve(socket, attest) {
      socket.on('error', () => {}) // a workload that is killed; what its calls held is given up at the close
      if (connections.enter(socket, attest)) injector.injectConnection(socket)
    },
    async [Symbol.asyncDispose]() {
      setServing(false)
      for (const end of edge.streams) end(new RpcError('ERR_RPC_UNAVAILABLE', 'the sidecar is stopping'))
      const late = new AbortController()
      using _deadline = deps.clock.after(DRAIN_MS, () => late.abort())
      server.tryShutdown(() => {}) // calls back at once on this Node, whatever is open: the connections tell when it is over
      await connections.drain(late.signal)
      server.forceShutdown()
    },
  }
}
