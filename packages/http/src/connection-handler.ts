import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Exchange, ExchangeOutcome } from './exchange.ts'
import type { ExchangeFlag } from './exchange-flag.ts'
import type { HttpRefusal } from './refusal.ts'

export interface ServerConnectionHandler {
  /** A complete, valid head. Call `respond` or `forward` on it, now or later. */
  onRequest(exchange: Exchange): void
  /** After `respond` or `forward` ended in whatever way. */
  onOutcome(exchange: Exchange, outcome: ExchangeOutcome): void
  /** Malformed bytes: already answered with `connection: close`. Nothing was or will be forwarded for them. */
  onRefused(refusal: HttpRefusal): void
  onClose?(): void
  /**
   * What this package answers itself when a forwarded exchange fails or runs out of time; a plain line of text when not
   * given. The headers must be sendable.
   */
  failureAnswer?(flag: ExchangeFlag, status: number): FailureAnswer
}

export interface FailureAnswer {
  readonly headers: readonly (readonly [string, string])[]
  readonly body: string
}

export interface ServerConnection {
  readonly socket: Socket | TLSSocket
  /** True while an exchange is in flight. */
  readonly busy: boolean
  /** Ends the exchange in flight with `connection: close`; closes at once when idle. */
  drain(): void
  destroy(): void
}
