import type { TLSSocket } from 'node:tls'
import type { BundleSource } from '@picket/identity'
import { reverify, type VerifiedPeer } from '@picket/mtls'
import { createDrain, type Clock, type Logger } from '@picket/runtime'
import { LIMITS } from './limits.ts'

export interface PeerRegistry {
  /** False: one connection of this identity, or without a certificate, too many; it has been closed. */
  enter(socket: TLSSocket, peer: VerifiedPeer | undefined): boolean
  readonly peerOf: (remote: string) => VerifiedPeer | undefined
  /** Ends the connections whose peer would not be let in any more; from now on nobody is behind them. */
  reverify(bundles: BundleSource): void
  /** Resolves when no connection is left, or `deadline` aborts. */
  drain(deadline: AbortSignal): Promise<number>
}

/**
 * Which verified peer is behind `ADDRESS:PORT`, the only thing that a call says about its connection. Two connections to
 * one listener cannot share it while both live; whatever is not found counts as nobody.
 */
export function createPeerRegistry({ clock, logger }: { clock: Clock; logger: Logger }): PeerRegistry {
  const connections = new Map<string, { readonly socket: TLSSocket; readonly peer: VerifiedPeer | undefined }>()
  const open = createDrain()
  /** By SPIFFE ID; '' = without a certificate. */
  const numbers = new Map<string, number>()
  const numberOf = (id: string): number => numbers.get(id) ?? 0
  return {
    enter(socket, peer) {
      const remote = `${socket.remoteAddress}:${socket.remotePort}`
      const id = peer?.id.uri ?? ''
      if (numberOf(id) >= (peer ? LIMITS.connectionsPerIdentity : LIMITS.anonymousConnections)) {
        logger.warn('too many connections of one caller', { remote, caller: peer ? id : 'without a certificate' })
        socket.destroy()
        return false
      }
      numbers.set(id, numberOf(id) + 1)
      const life = peer ? undefined : clock.after(LIMITS.anonymousLifeMs, () => socket.destroy())
      connections.set(remote, { socket, peer })
      const ticket = open.enter()
      socket.once('close', () => {
        ticket[Symbol.dispose]()
        life?.[Symbol.dispose]()
        if (numberOf(id) > 1) numbers.set(id, numberOf(id) - 1)
        else numbers.delete(id)
        if (connections.get(remote)?.socket === socket) connections.delete(remote)
      })
      return true
    },
    peerOf: (remote) => connections.get(remote)?.peer,
    reverify(bundles) {
      const now = new Date(clock.now())
      for (const [remote, { socket, peer }] of connections) {
        const verdict = peer && reverify(peer, bundles, now)
        if (verdict?.kind !== 'refused') continue
        logger.warn('connection ends: its peer is refused now', { remote, caller: peer!.id.uri, code: verdict.code })
        connections.delete(remote)
        socket.destroy()
      }
    },
    drain: (deadline) => open.drain(deadline),
  }
}
