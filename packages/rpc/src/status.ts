import { Metadata, status, type StatusObject } from '@grpc/grpc-js'
import { RpcError, type RpcErrorCode } from './rpc-error.ts'

/** The trailer that carries `RpcError.reason`. */
const REASON = 'picket-reason'

/** The trailer that carries `RpcError.retryAfterMs`: whole milliseconds. */
const RETRY_AFTER = 'picket-retry-after-ms'
const LONGEST_RETRY_AFTER_MS = 300_000

/** Trailers share a frame with the transport's own headers: a status has no room for a report. */
const MESSAGE_CHARACTERS = 2000

const STATUS_OF = {
  ERR_RPC_CANCELLED: status.CANCELLED,
  ERR_RPC_INVALID: status.INVALID_ARGUMENT,
  ERR_RPC_DEADLINE: status.DEADLINE_EXCEEDED,
  ERR_RPC_NOT_FOUND: status.NOT_FOUND,
  ERR_RPC_CONFLICT: status.ALREADY_EXISTS,
  ERR_RPC_PRECONDITION: status.FAILED_PRECONDITION,
  ERR_RPC_DENIED: status.PERMISSION_DENIED,
  ERR_RPC_EXHAUSTED: status.RESOURCE_EXHAUSTED,
  ERR_RPC_UNIMPLEMENTED: status.UNIMPLEMENTED,
  ERR_RPC_INTERNAL: status.INTERNAL,
  ERR_RPC_UNAVAILABLE: status.UNAVAILABLE,
  ERR_RPC_UNAUTHENTICATED: status.UNAUTHENTICATED,
  ERR_RPC_WRONG_SERVER: status.UNAVAILABLE,
} as const satisfies Record<RpcErrorCode, status>

const CODE_OF: Readonly<Record<status, RpcErrorCode>> = {
  [status.OK]: 'ERR_RPC_INTERNAL',
  [status.CANCELLED]: 'ERR_RPC_CANCELLED',
  [status.UNKNOWN]: 'ERR_RPC_INTERNAL',
  [status.INVALID_ARGUMENT]: 'ERR_RPC_INVALID',
  [status.DEADLINE_EXCEEDED]: 'ERR_RPC_DEADLINE',
  [status.NOT_FOUND]: 'ERR_RPC_NOT_FOUND',
  [status.ALREADY_EXISTS]: 'ERR_RPC_CONFLICT',
  [status.PERMISSION_DENIED]: 'ERR_RPC_DENIED',
  [status.RESOURCE_EXHAUSTED]: 'ERR_RPC_EXHAUSTED',
  [status.FAILED_PRECONDITION]: 'ERR_RPC_PRECONDITION',
  [status.ABORTED]: 'ERR_RPC_CONFLICT',
  [status.OUT_OF_RANGE]: 'ERR_RPC_INVALID',
  [status.UNIMPLEMENTED]: 'ERR_RPC_UNIMPLEMENTED',
  [status.INTERNAL]: 'ERR_RPC_INTERNAL',
  [status.UNAVAILABLE]: 'ERR_RPC_UNAVAILABLE',
  [status.DATA_LOSS]: 'ERR_RPC_INTERNAL',
  [status.UNAUTHENTICATED]: 'ERR_RPC_UNAUTHENTICATED',
}

/** What the wire shows of a failure. Whatever is not an `RpcError` shows nothing of itself. */
export function encodeStatus(thrown: unknown): StatusObject {
  const error = thrown instanceof RpcError ? thrown : new RpcError('ERR_RPC_INTERNAL', 'internal error')
  const metadata = new Metadata()
  if (error.reason !== undefined) metadata.set(REASON, error.reason)
  if (error.retryAfterMs !== undefined) metadata.set(RETRY_AFTER, String(Math.ceil(error.retryAfterMs)))
  return { code: STATUS_OF[error.code], details: error.message.slice(0, MESSAGE_CHARACTERS), metadata }
}

/** The failure that a caller sees. */
export function decodeStatus({ code, details, metadata }: StatusObject): RpcError {
  const reason = metadata?.get(REASON)[0]?.toString()
  const retryAfterMs = readRetryAfter(metadata?.get(RETRY_AFTER)[0]?.toString())
  return new RpcError(CODE_OF[code] ?? 'ERR_RPC_INTERNAL', details, { reason, retryAfterMs })
}

/** A server's word on waiting counts up to five minutes. */
function readRetryAfter(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Math.min(Number(text), LONGEST_RETRY_AFTER_MS) : undefined
}
