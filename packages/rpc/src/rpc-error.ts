import { PicketError } from '@picket/runtime'

export type RpcErrorCode =
  | 'ERR_RPC_CANCELLED'
  | 'ERR_RPC_INVALID'
  | 'ERR_RPC_DEADLINE'
  | 'ERR_RPC_NOT_FOUND'
  | 'ERR_RPC_CONFLICT'
  /** Not now: something else has to happen first. */
  | 'ERR_RPC_PRECONDITION'
  | 'ERR_RPC_DENIED'
  | 'ERR_RPC_EXHAUSTED'
  | 'ERR_RPC_UNIMPLEMENTED'
  | 'ERR_RPC_INTERNAL'
  | 'ERR_RPC_UNAVAILABLE'
  | 'ERR_RPC_UNAUTHENTICATED'
  /** Client side only: the other end did not prove to be this trust domain's control plane; nothing was sent to it. */
  | 'ERR_RPC_WRONG_SERVER'

const RETRYABLE: ReadonlySet<RpcErrorCode> = new Set(['ERR_RPC_DEADLINE', 'ERR_RPC_EXHAUSTED', 'ERR_RPC_UNAVAILABLE'])

/**
 * Why a call did not succeed, on either side of the wire. `reason` is the finer code behind it where there is one
 * (`ERR_BUNDLE_ENTRYPOINT`, `ERR_ENTRY_DUPLICATE`) and `retryAfterMs` how long to wait before the next try where the server
 * says so; both travel with the status.
 */
export class RpcError extends PicketError {
  readonly code: RpcErrorCode
  readonly reason: string | undefined
  readonly retryAfterMs: number | undefined

  constructor(code: RpcErrorCode, message: string, options: RpcErrorOptions = {}) {
    super(message, { cause: options.cause, retryable: RETRYABLE.has(code) })
    this.code = code
    this.reason = options.reason
    this.retryAfterMs = options.retryAfterMs
  }
}

export interface RpcErrorOptions {
  readonly cause?: unknown
  readonly reason?: string | undefined
  readonly retryAfterMs?: number | undefined
}
