import type { Socket } from 'node:net'
import { messageOf, type Clock } from '@picket/runtime'
import { tickerOf, type Deadline, type Ticker } from './ticker.ts'
import { UpstreamConnection, type UpstreamConnectionOwner, type UpstreamUser } from './upstream-connection.ts'
import type { PoolCounts, UpstreamPool, UpstreamPoolOptions } from './upstream-pool.ts'

const DEFAULT_MAX_PENDING = 1024
/** The upstream's patience is counted from another instant than ours: stay this far below it. */
const KEEP_ALIVE_MARGIN_MS = 1000

interface PendingUser {
  readonly user: UpstreamUser
  readonly deadlineMs: number
}

/**
 * A reused connection may be closed by the upstream at the very moment when a request is put on it. Three things keep
 * callers from noticing: idle connections are closed before the upstream's own `Keep-Alive: timeout` ends, bytes or an end
 * on an idle connection discard it, and `forward` sends a request again when that is safe (see there).
 */
export function createUpstreamPool(options: UpstreamPoolOptions, deps: { readonly clock: Clock }): UpstreamPool {
  return new ConnectionPool(options, tickerOf(deps.clock))
}

class ConnectionPool implements UpstreamPool, UpstreamConnectionOwner, Deadline {
  readonly name: string
  readonly responseTimeoutMs: number
  /** Swept on every tick while there is anything to sweep. */
  readonly deadlineMs = 0
  readonly #options: UpstreamPoolOptions
  readonly #ticker: Ticker
  readonly #connections = new Set<UpstreamConnection>()
  /** Last used last. */
  readonly #idle: UpstreamConnection[] = []
  #pending: PendingUser[] = []
  /** Connections opened before the last `renew` are not kept. */
  #stale = new WeakSet<UpstreamConnection>()
  #isClosed = false
  #opened = 0
  #failed = 0
  #reuseRaces = 0

  constructor(options: UpstreamPoolOptions, ticker: Ticker) {
    this.name = options.name
    this.responseTimeoutMs = options.responseTimeoutMs
    this.#options = options
    this.#ticker = ticker
  }

  get counts(): PoolCounts {
    return {
      connections: this.#connections.size,
      idle: this.#idle.length,
      pending: this.#pending.length,
      opened: this.#opened,
      failed: this.#failed,
      reuseRaces: this.#reuseRaces,
    }
  }

  acquire(user: UpstreamUser): void {
    if (this.#isClosed) return user.upstreamUnavailable('drained', 'pool is closed')
    const idle = user.wantsFresh ? undefined : this.#idle.pop()
    if (idle !== undefined) return this.#assign(idle, user)
    if (this.#connections.size < this.#options.maxConnections) return this.#open(user)
    if (this.#pending.length >= (this.#options.maxPending ?? DEFAULT_MAX_PENDING)) {
      this.#failed += 1
      return user.upstreamUnavailable('upstream_overflow', 'too many exchanges wait for a connection')
    }
    this.#pending.push({ user, deadlineMs: this.#ticker.after(this.#options.connectTimeoutMs) })
  }

  cancel(user: UpstreamUser): void {
    this.#pending = this.#pending.filter((pending) => pending.user !== user)
    for (const connection of this.#connections) if (connection.user === user) connection.user = undefined
  }

  release(connection: UpstreamConnection, isReusable: boolean, keepAliveSeconds?: number): void {
    if (connection.state === 'closed') return
    connection.user = undefined
    connection.served += 1
    if (!isReusable || this.#isClosed || this.#stale.has(connection)) return this.#discard(connection)
    this.#offer(connection, keepAliveSeconds)
  }

  countReuseRace(): void {
    this.#reuseRaces += 1
  }

  renew(): void {
    for (const idle of this.#idle.splice(0)) this.#discard(idle)
    for (const connection of this.#connections) this.#stale.add(connection)
  }

  connectionReady(connection: UpstreamConnection): void {
    if (connection.state !== 'connecting') return
    const refusal = this.#options.prepare?.(connection.socket)
    if (refusal !== undefined) {
      const { user } = connection
      this.#failed += 1
      this.#discard(connection)
      return user?.upstreamUnavailable(refusal.flag, refusal.message)
    }
    const { user } = connection
    if (user !== undefined) this.#assign(connection, user)
    else this.#offer(connection)
  }

  connectionClosed(connection: UpstreamConnection, isClean: boolean, detail: string): void {
    const { user } = connection
    const wasConnecting = connection.state === 'connecting'
    this.#discard(connection)
    if (!wasConnecting) return user?.upstreamClosed(isClean, detail)
    this.#failed += 1
    user?.upstreamUnavailable('upstream_connect_failed', detail)
  }

  expired(nowMs: number): void {
    for (const connection of this.#connections) {
      if (connection.deadlineMs > nowMs) continue
      const { user, state } = connection
      this.#discard(connection)
      if (state !== 'connecting') continue
      this.#failed += 1
      user?.upstreamUnavailable('upstream_connect_timeout', 'no connection in time')
    }
    while (this.#pending.length > 0 && this.#pending[0]!.deadlineMs <= nowMs) {
      this.#failed += 1
      this.#pending.shift()!.user.upstreamUnavailable('upstream_overflow', 'no connection became free in time')
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    for (const { user } of this.#pending.splice(0)) user.upstreamUnavailable('drained', 'pool is closed')
    const connections = [...this.#connections]
    const closing = connections.map(({ socket }) => closed(socket))
    for (const connection of connections)
      if (connection.state !== 'closed') this.connectionClosed(connection, false, 'pool is closed')
    await Promise.all(closing)
  }

  #open(user: UpstreamUser): void {
    let connection: UpstreamConnection
    try {
      connection = new UpstreamConnection(this, (read) => this.#options.connect(read), this.#options.readyEvent)
    } catch (thrown) {
      this.#failed += 1
      return user.upstreamUnavailable('upstream_connect_failed', messageOf(thrown))
    }
    this.#opened += 1
    if (this.#connections.size === 0) this.#ticker.add(this)
    this.#connections.add(connection)
    connection.user = user
    connection.deadlineMs = this.#ticker.after(this.#options.connectTimeoutMs)
  }

  #assign(connection: UpstreamConnection, user: UpstreamUser): void {
    connection.state = 'busy'
    connection.deadlineMs = Infinity
    connection.user = user
    user.upstreamReady(connection)
  }

  /** To whoever waits longest, else to the idle ones. */
  #offer(connection: UpstreamConnection, keepAliveSeconds = Infinity): void {
    const next = this.#pending.shift()
    if (next?.user.wantsFresh && connection.isReused) {
      this.#discard(connection)
      return this.#open(next.user)
    }
    if (next !== undefined) return this.#assign(connection, next.user)
    if (this.#idle.length >= this.#options.maxIdle) return this.#discard(connection)
    connection.state = 'idle'
    connection.deadlineMs = this.#ticker.after(Math.min(this.#options.idleTimeoutMs, patienceMs(keepAliveSeconds)))
    this.#idle.push(connection)
  }

  /** Forgets and destroys; whoever waits gets the free place. */
  #discard(connection: UpstreamConnection): void {
    if (!this.#connections.delete(connection)) return
    const index = this.#idle.indexOf(connection)
    if (index >= 0) this.#idle.splice(index, 1)
    connection.destroy()
    const next = this.#isClosed ? undefined : this.#pending.shift()
    if (next !== undefined) this.#open(next.user)
    else if (this.#connections.size === 0) this.#ticker.remove(this)
  }
}

function patienceMs(keepAliveSeconds: number): number {
  const ms = keepAliveSeconds * 1000
  return Math.max(ms - KEEP_ALIVE_MARGIN_MS, ms / 2)
}

function closed(socket: Socket): Promise<void> {
  return socket.closed ? Promise.resolve() : new Promise((resolve) => void socket.once('close', () => resolve()))
}
