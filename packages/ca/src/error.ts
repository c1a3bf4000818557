import { PicketError } from '@picket/runtime'

export type CaErrorCode =
  | 'ERR_AUTHORITY_EXISTS'
  | 'ERR_AUTHORITY_MISSING'
  | 'ERR_AUTHORITY_FILES'
  | 'ERR_AUTHORITY_EXPIRED'
  | 'ERR_AUTHORITY_STATE'
  | 'ERR_AUTHORITY_IN_USE'
  | 'ERR_UPSTREAM'
  | 'ERR_ISSUE_REQUEST'
  | 'ERR_LINT'
  | 'ERR_JOURNAL'

/** Thrown by `ca`. `ERR_LINT` and `ERR_JOURNAL` mean that a certificate was made and did not leave. */
export class CaError extends PicketError {
  readonly code: CaErrorCode

  constructor(code: CaErrorCode, message: string, options: { cause?: unknown; retryable?: boolean } = {}) {
    super(message, options)
    this.code = code
  }
}
