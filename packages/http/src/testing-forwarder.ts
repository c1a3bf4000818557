import net, { type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { systemClock, type Clock } from '@picket/runtime'
import type { ServerConnection, ServerConnectionHandler } from './connection-handler.ts'
import { createUpstreamPool } from './connection-pool.ts'
import type { Exchange, ExchangeOutcome } from './exchange.ts'
import { createHeaderNameSet } from './header-name-set.ts'
import { DEFAULT_LIMITS, type HttpLimits } from './limits.ts'
import type { HttpRefusalCode } from './refusal.ts'
import { serveConnection } from './server-connection.ts'
import type { UpstreamPool, UpstreamPoolOptions } from './upstream-pool.ts'
import { listen } from './testing.ts'
import { listenTls } from './testing-tls.ts'

/** A server made of this package's parts: forwards everything to one upstream and remembers what it was told. */
export interface Forwarder extends AsyncDisposable {
  readonly port: number
  readonly pool: UpstreamPool
  readonly outcomes: ExchangeOutcome[]
  readonly refusals: HttpRefusalCode[]
  readonly connections: ServerConnection[]
  readonly closed: { count: number }
}

export interface ForwarderOptions {
  /** Callers come over TLS (`connectTls`). */
  readonly isTls?: boolean
  readonly upstreamPort?: number
  readonly limits?: Partial<HttpLimits>
  readonly clock?: Clock
  readonly pool?: Partial<UpstreamPoolOptions>
  /** Lines for the forwarded request and response heads. */
  readonly addRequestHeaders?: string
  readonly addResponseHeaders?: string
  readonly removeResponseHeaders?: readonly string[]
  readonly failureAnswer?: NonNullable<ServerConnectionHandler['failureAnswer']>
  /** Instead of forwarding. */
  readonly onRequest?: (exchange: Exchange, forward: () => void) => void
}

export async function startForwarder(options: ForwarderOptions): Promise<Forwarder> {
  const clock = options.clock ?? systemClock
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const pool = createUpstreamPool(
    {
      name: 'upstream',
      connect: (read) => net.connect({ port: options.upstreamPort ?? 0, host: '127.0.0.1', ...read }),
      readyEvent: 'connect',
      maxConnections: 64,
      maxIdle: 64,
      idleTimeoutMs: 60_000,
      connectTimeoutMs: 2_000,
      responseTimeoutMs: 15_000,
      ...options.pool,
    },
    { clock },
  )
  const lines = Buffer.from(options.addRequestHeaders ?? '', 'latin1')
  const forwardOptions = {
    pool,
    removeRequestHeaders: createHeaderNameSet(['x-forwarded-client-cert', 'x-request-id']),
    addRequestHeaders: lines,
    addRequestHeadersLength: lines.length,
    addResponseHeaders: Buffer.from(options.addResponseHeaders ?? '', 'latin1'),
    removeResponseHeaders: createHeaderNameSet(options.removeResponseHeaders ?? []),
  }
  const outcomes: ExchangeOutcome[] = []
  const refusals: HttpRefusalCode[] = []
  const connections: ServerConnection[] = []
  const closed = { count: 0 }
  const accept = (socket: Socket | TLSSocket): void => {
    const handler = {
      onRequest(exchange: Exchange): void {
        const forward = (): void => exchange.forward(forwardOptions)
        if (options.onRequest) options.onRequest(exchange, forward)
        else forward()
      },
      onOutcome: (_: Exchange, outcome: ExchangeOutcome): void => void outcomes.push({ ...outcome }),
      onRefused: ({ code }: { code: HttpRefusalCode }): void => void refusals.push(code),
      onClose: (): void => void (closed.count += 1),
      ...(options.failureAnswer && { failureAnswer: options.failureAnswer }),
    }
    connections.push(serveConnection(socket, handler, { limits, clock }))
  }
  const server = await (options.isTls ? listenTls(accept) : listen(accept))
  return {
    port: server.port,
    pool,
    outcomes,
    refusals,
    connections,
    closed,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await pool[Symbol.asyncDispose]()
    },
  }
}
