import type { Duplex } from 'node:stream'
import { createDrain, type Clock, type Logger } from '@picket/runtime'
import { createTokenBucket, type TokenBucket } from '../limits.ts'
import { WORKLOAD_LIMITS } from './limits.ts'

/** One process's connection. */
export interface WorkloadConnection<Caller> {
  /** Who is at the other end, asked when a call needs it: the same process may become another program. */
  caller(): Promise<Caller>
  readonly rate: TokenBucket
}

export interface WorkloadConnections<Caller> {
  /** False: one connection too many; it has been closed. */
  enter(socket: Duplex, attest: () => Promise<Caller>): boolean
  /** The live connection that a call's transport names. */
  find(peer: string): WorkloadConnection<Caller> | undefined
  /** Resolves when no connection is left, or `deadline` aborts. */
  drain(deadline: AbortSignal): Promise<number>
}

/** How long an answer holds, so that many calls at one time are one question. A refusal does not hold. */
const ATTESTED_MS = 1000

function recently<T>(ask: () => Promise<T>, clock: Clock): () => Promise<T> {
  let asked: Promise<T> | undefined
  let askedMs = 0
  return () => {
    const now = clock.monotonicMs()
    if (asked && now - askedMs < ATTESTED_MS) return asked
    const asking = ask()
    asked = asking
    askedMs = now
    asking.catch(() => {
      if (asked === asking) asked = undefined
    })
    return asking
  }
}

/**
 * Calls know their connection by the transport's name of the other end only, and a Unix socket has no such name: each
 * connection is given one of its own.
 */
export function createWorkloadConnections<Caller>(deps: {
  readonly clock: Clock
  readonly logger: Logger
}): WorkloadConnections<Caller> {
  const connections = new Map<string, WorkloadConnection<Caller>>()
  const open = createDrain()
  let next = 1
  return {
    enter(socket, attest) {
      if (connections.size >= WORKLOAD_LIMITS.connections) {
        deps.logger.warn('too many workload connections', { connections: connections.size })
        socket.destroy()
        return false
      }
      const name = `workload-${next++}`
      Object.defineProperties(socket, { remoteAddress: { value: name }, remotePort: { value: undefined } })
      connections.set(name, {
        caller: recently(attest, deps.clock),
        rate: createTokenBucket(WORKLOAD_LIMITS.connectionCalls, deps.clock),
      })
      const ticket = open.enter()
      socket.once('close', () => {
        connections.delete(name)
        ticket[Symbol.dispose]()
      })
      return true
    },
    find: (peer) => connections.get(peer),
    drain: (deadline) => open.drain(deadline),
  }
}
