import type { ExchangeFlag } from './exchange-flag.ts'
import type { UpstreamPool } from './upstream-pool.ts'
import type { HeaderNameSet } from './header-name-set.ts'
import type { RequestHead } from './request-head.ts'

/**
 * One request and its answer, seen by whoever decides about it. The object and its `head` are reused by the next exchange of
 * the same connection: hold neither beyond `onOutcome`. Exactly one of `respond` and `forward` is called; later calls
 * are ignored.
 */
export interface Exchange {
  readonly head: RequestHead
  /** `clock.monotonicMs()` when the head was complete. */
  readonly startedMs: number
  /** Own answer (deny, error). An unread request body is drained within a bound, else the connection closes. */
  respond(status: number, headers: readonly (readonly [string, string])[], body: string | Buffer): void
  /** Streams request and response through `options.pool`, with backpressure both ways. Dials only now. */
  forward(options: ForwardOptions): void
}

/** An exchange that came over a connection from outside; protocol independent. */
export type InboundRequest = Exchange

export interface ForwardOptions {
  readonly pool: UpstreamPool
  /** Lower-case names removed from the request besides the hop-by-hop ones. They are also refused as trailers. */
  readonly removeRequestHeaders: HeaderNameSet
  /** Valid header lines, each ending in CRLF, appended to the forwarded head. Reusable once `forward` returned. */
  readonly addRequestHeaders: Buffer
  readonly addRequestHeadersLength: number
  /** Removed from the response, besides the hop-by-hop ones: what only we may say. Also refused as its trailers. */
  readonly removeResponseHeaders?: HeaderNameSet
  /** Valid header lines appended to the response head. Must stay unchanged until the exchange ends. */
  readonly addResponseHeaders?: Buffer
}

/** Told once per exchange, whatever happened. One object per connection, reused: copy what you keep. */
export interface ExchangeOutcome {
  /** Status sent to the caller; 0 when none was. */
  readonly status: number
  /** Bytes of the request as received, head and body. */
  readonly requestBytes: number
  /** Bytes of the response as sent, head and body. */
  readonly responseBytes: number
  readonly durationMs: number
  /** From the complete request head to the response head; 0 for own answers. */
  readonly upstreamMs: number
  readonly flag: ExchangeFlag
  /** More about `flag` for logs, '' mostly. Never from the wire. */
  readonly detail: string
  /** True when the upstream connection had served an exchange before. */
  readonly reused: boolean
  /** True when the request was sent again on a fresh connection after a reuse race. */
  readonly retried: boolean
}
