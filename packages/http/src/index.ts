export type { FailureAnswer, ServerConnection, ServerConnectionHandler } from './connection-handler.ts'
export { createUpstreamPool } from './connection-pool.ts'
export { HttpError, type HttpErrorCode } from './error.ts'
export type { Exchange, ExchangeOutcome, ForwardOptions, InboundRequest } from './exchange.ts'
export type { ExchangeFlag } from './exchange-flag.ts'
export { createHeaderNameSet, type HeaderNameSet } from './header-name-set.ts'
export { DEFAULT_LIMITS, type HttpLimits } from './limits.ts'
export { HTTP_REFUSAL_CODES, type HttpRefusal, type HttpRefusalCode } from './refusal.ts'
export type { RequestHead } from './request-head.ts'
export { parseRequestHead } from './scanned-request-head.ts'
export { serveConnection } from './server-connection.ts'
export type {
  PoolCounts,
  PrepareRefusal,
  UpstreamPool,
  UpstreamPoolOptions,
  UpstreamReadOptions,
} from './upstream-pool.ts'
