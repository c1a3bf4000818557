import type { Socket } from 'node:net'
import { RpcError } from '@picket/rpc'
import type { Logger } from '@picket/runtime'
import { closeDescriptor, createProcessFacts, type ProcessFacts } from './peer-credentials-process.ts'
import { findTcpPeers, type TcpPeer } from './peer-credentials-tcp.ts'
import { openPeerCredentials } from './peer-credentials.ts'
import type { WorkloadAttestation } from '../settings.ts'
import type { WorkloadCaller } from './workload-caller.ts'

/** Who is at the other end of a connection, found out whenever the result is called. */
export type AttestWorkload = (socket: Socket) => () => Promise<WorkloadCaller>

export interface AttestationDeps {
  readonly logger: Logger
}

/** For connections to the Unix socket. Throws `ERR_PEER_CREDENTIALS` when they cannot be attested as asked. */
export async function createUnixAttestation(
  { logger }: AttestationDeps,
  mode: WorkloadAttestation,
): Promise<AttestWorkload> {
  if (mode === 'off') return () => () => Promise.resolve({ facts: new Set(), passesSocket: true })
  const readCredentials = await openPeerCredentials()
  const processes = createProcessFacts()
  return (socket) => {
    const peer = readCredentials(socket) // at once: the descriptor of the process must be had before it can be gone
    socket.once('close', () => closeDescriptor(peer?.pidfd))
    return async () => {
      const facts = peer && (await processes.read(peer))
      if (!facts) throw notAttested(logger, peer?.pid)
      return attested(logger, facts, peer.pid, true)
    }
  }
}

/** For loopback TCP connections, which any process of the host can open: each is resolved to its process, or refused. */
export function createTcpAttestation(
  { logger }: AttestationDeps,
  mayOpenSocket: (peer: TcpPeer) => boolean,
): AttestWorkload {
  const processes = createProcessFacts()
  return (socket) => {
    const { remoteAddress = '', remotePort = 0, localAddress = '', localPort = 0 } = socket
    return async () => {
      const peers = await findTcpPeers({ remoteAddress, remotePort, localAddress, localPort })
      const facts = await sharedFacts(processes, peers)
      if (!facts || socket.destroyed) throw notAttested(logger, peers[0]?.pid)
      return attested(logger, facts, peers[0]!.pid, peers.every(mayOpenSocket))
    }
  }
}

/** Of processes that share a socket only what is true of every one. */
async function sharedFacts(
  processes: ProcessFacts,
  peers: readonly TcpPeer[],
): Promise<ReadonlySet<string> | undefined> {
  let shared: ReadonlySet<string> | undefined
  for (const peer of peers) {
    const facts = await processes.read({ ...peer, pidfd: undefined })
    if (!facts) return undefined
    shared = shared ? shared.intersection(facts) : facts
  }
  return shared
}

function attested(logger: Logger, facts: ReadonlySet<string>, pid: number, passesSocket: boolean): WorkloadCaller {
  logger.debug('workload attested', { pid, facts: [...facts] })
  return { facts, passesSocket }
}

function notAttested(logger: Logger, pid: number | undefined): RpcError {
  logger.info('workload not attested', { pid })
  return new RpcError('ERR_RPC_DENIED', 'no identity issued: the calling process could not be identified')
}
