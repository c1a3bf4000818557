import { PicketError } from '@picket/runtime'

export type RpcErrorCode =
  | 'ERR_RPC_CANCELLED'
  | 'ERR_RPC_INVALID'
  | 'ERR_RPC_DEADLINE'
  | 'ERR_RPC_NOT_FOUND'
  | 'ERR_RPC_CONFLICT'
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
 * (`ERR_BUNDLE_ENTRYPOINT`, `ERR_ENTRY_DUPLICATE`); it travels with the status.
 */
export class RpcError extends PicketError {
  readonly code: RpcErrorCode
  readonly reason: string | undefined

  constructor(code: RpcErrorCode, message: string, options: { cause?: unknown; reason?: string | undefined } = {}) {
    super(message, { cause: options.cause, retryable: RETRYABLE.has(code) })
    this.code = code
    this.reason = options.reason
  }
}
