import { createServer, type Server, type Socket } from 'node:net'
import { createWorkloadServer } from '@picket/rpc'
import { createWatch, type Clock, type HostPort, type Logger } from '@picket/runtime'
import type { WorkloadApiConfig } from '../config.ts'
import { listenFor } from '../listening.ts'
import type { TcpPeer } from './peer-credentials-tcp.ts'
import { createTcpAttestation, createUnixAttestation, type AttestWorkload } from './workload-attestation.ts'
import { createWorkloadHandlers } from './workload-handlers.ts'
import { findGroup, listenOnWorkloadSocket } from './workload-socket.ts'
import type { WorkloadSource } from './workload-source.ts'

export interface WorkloadApiDeps {
  readonly clock: Clock
  readonly logger: Logger
}

/** The SPIFFE Workload API and Envoy SDS of a sidecar, for the processes beside it. */
export interface WorkloadApi extends AsyncDisposable {
  readonly socket: string | undefined
  readonly tcp: HostPort | undefined
  /** From now on there is something to serve; until then callers are told to come back. */
  serve(source: WorkloadSource): void
}

/** Resolves when all its listeners are bound. Throws `ERR_PORT_IN_USE`, `ERR_LISTEN`, `ERR_PEER_CREDENTIALS`. */
export async function openWorkloadApi(deps: WorkloadApiDeps, config: WorkloadApiConfig): Promise<WorkloadApi> {
  const { attestation, socket } = config
  await using stack = new AsyncDisposableStack()
  const lifetime = new AbortController()
  const source = createWatch<WorkloadSource | undefined>(undefined)
  const handlers = createWorkloadHandlers({ ...deps, source, lifetime: lifetime.signal })
  const server = stack.use(createWorkloadServer(deps, handlers))
  stack.defer(() => lifetime.abort(new Error('the sidecar is stopping')))
  const accept =
    (attest: AttestWorkload) =>
    (connection: Socket): void =>
      server.serve(connection, attest(connection))

  const failed = (error: Error): void => deps.logger.error('workload listener failed', { error: error.message })

  if (socket) {
    const attest = await createUnixAttestation(deps, attestation)
    const listener = await listenOnWorkloadSocket(socket, accept(attest))
    stack.defer(() => close(listener))
    listener.on('error', failed)
  }
  let tcp: HostPort | undefined
  if (config.tcp) {
    const mayOpen = await socketDoor(socket?.group)
    const attest = createTcpAttestation(deps, mayOpen)
    const start = (address: HostPort) => listenOnLoopback(address, accept(attest))
    const listener = await listenFor({ setting: 'workloadApiTcp', address: config.tcp }, start)
    stack.defer(() => close(listener))
    listener.on('error', failed)
    const { address: host, port } = listener.address() as { address: string; port: number }
    tcp = { host, port }
  }
  const moved = stack.move()
  return {
    socket: socket?.path,
    tcp,
    serve(present) {
      source.set(present)
      server.setServing(true)
    },
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  }
}

/** Over TCP the same users as on the Unix socket: root, the sidecar's own, and the group that is named. */
async function socketDoor(group: string | undefined): Promise<(peer: TcpPeer) => boolean> {
  const groupId = group === undefined ? undefined : await findGroup(group)
  const own = process.getuid?.()
  return ({ uid, gid }) => uid === 0 || uid === own || gid === groupId
}

function listenOnLoopback(address: HostPort, accept: (socket: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ noDelay: true }, accept)
    server.once('error', reject)
    server.listen(address, () => {
      server.off('error', reject)
      resolve(server)
    })
  })
}

/** Stops listening; the connections are ended by the server that has taken them over. */
function close(server: Server): void {
  server.close()
}
