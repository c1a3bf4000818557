export {
  createUpstreamPool,
  type PoolCounts,
  type PrepareRefusal,
  type UpstreamPool,
  type UpstreamPoolOptions,
  type UpstreamReadOptions,
} from './connection-pool.ts'
export { HttpError, type HttpErrorCode } from './error.ts'
export type { Exchange, ExchangeFlag, ExchangeOutcome, ForwardOptions, InboundRequest } from './exchange.ts'
export { createHeaderNameSet, type HeaderNameSet } from './header-name-set.ts'
export { DEFAULT_LIMITS, type HttpLimits } from './limits.ts'
export { HTTP_REFUSAL_CODES, type HttpRefusal, type HttpRefusalCode } from './refusal.ts'
export { parseRequestHead, type RequestHead } from './request-head.ts'
export {
  serveConnection,
  type FailureAnswer,
  type ServerConnection,
  type ServerConnectionHandler,
} from './server-connection.ts'
