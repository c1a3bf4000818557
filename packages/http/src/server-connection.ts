import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Clock } from '@picket/runtime'
import type { Exchange, ExchangeOutcome } from './exchange.ts'
import type { HttpLimits } from './limits.ts'
import type { HttpRefusal } from './refusal.ts'

export interface ServerConnectionHandler {
  /** A complete, valid head. Call `respond` or `forward` on it, now or later. */
  onRequest(exchange: Exchange): void
  /** After `respond` or `forward` ended in whatever way. */
  onOutcome(exchange: Exchange, outcome: ExchangeOutcome): void
  /** Malformed bytes: already answered with `connection: close`. Nothing was or will be forwarded for them. */
  onRefused(refusal: HttpRefusal): void
  onClose?(): void
}

export interface ServerConnection {
  readonly socket: Socket | TLSSocket
  /** True while an exchange is in flight. */
  readonly busy: boolean
  /** Ends the exchange in flight with `connection: close`; closes at once when idle. */
  drain(): void
  destroy(): void
}

/** Speaks HTTP/1.1 on an accepted socket until it closes. */
export function serveConnection(
  _socket: Socket | TLSSocket,
  _handler: ServerConnectionHandler,
  _options: { readonly limits: HttpLimits; readonly clock: Clock },
): ServerConnection {
  throw new Error('not yet')
}
