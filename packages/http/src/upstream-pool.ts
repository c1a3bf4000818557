import type { OnReadOpts, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { ExchangeFlag } from './exchange-flag.ts'
import type { UpstreamConnection, UpstreamUser } from './upstream-connection.ts'

/** Keep-alive connections to ONE upstream address, last used first. */
export interface UpstreamPool extends AsyncDisposable {
  readonly name: string
  readonly counts: PoolCounts
  readonly responseTimeoutMs: number
  /** Closes idle connections now and busy ones when their exchange ends; connections opened later are fresh. */
  renew(): void
  /** For this package's `forward`: answers with `upstreamReady` or `upstreamUnavailable`, perhaps before it returns. */
  acquire(user: UpstreamUser): void
  /** Takes the user off the queue. */
  cancel(user: UpstreamUser): void
  /** Gives a connection back. `keepAliveSeconds` is what the upstream said about its own patience. */
  release(connection: UpstreamConnection, isReusable: boolean, keepAliveSeconds?: number): void
  /** Counts a request that was sent again. */
  countReuseRace(): void
}

/** Read them when rendering metrics. */
export interface PoolCounts {
  readonly connections: number
  readonly idle: number
  readonly pending: number
  /** Connections that were opened since start. */
  readonly opened: number
  /** Connections or queue places that could not be had. */
  readonly failed: number
  /** Requests sent again because a reused connection was being closed by the upstream at that moment. */
  readonly reuseRaces: number
}

/** Spread into `net.connect` or `tls.connect` options: reads go through one shared buffer instead of one each. */
export interface UpstreamReadOptions {
  readonly onread: OnReadOpts
}

/** Refuses a connection before its first byte. */
export interface PrepareRefusal {
  readonly flag: ExchangeFlag
  readonly message: string
}

export interface UpstreamPoolOptions {
  readonly name: string
  /** Starts connecting. Spread `read` into the connect options where you can: it saves an allocation per read. */
  connect(read: UpstreamReadOptions): Socket | TLSSocket
  readonly readyEvent: 'connect' | 'secureConnect'
  /** Called once connected, before any byte is written. */
  prepare?(socket: Socket | TLSSocket): PrepareRefusal | undefined
  readonly maxConnections: number
  readonly maxIdle: number
  /** Exchanges that may wait for a connection; default 1024. They wait at most `connectTimeoutMs`. */
  readonly maxPending?: number
  readonly idleTimeoutMs: number
  readonly connectTimeoutMs: number
  /** From the request's last byte to the response head. */
  readonly responseTimeoutMs: number
}
