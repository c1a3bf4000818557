import { PicketError } from '@picket/runtime'

export type ControlPlaneErrorCode =
  | 'ERR_DATABASE_CORRUPT'
  | 'ERR_DATABASE_LOCKED'
  | 'ERR_DATABASE_MIGRATION'
  | 'ERR_DATABASE_FOREIGN'
  | 'ERR_ENTRY'
  | 'ERR_ENTRY_DUPLICATE'
  | 'ERR_ENTRY_NOT_FOUND'
  | 'ERR_SELECTOR'
  | 'ERR_TOKEN_TTL'
  | 'ERR_POLICY_REVISION'
  | 'ERR_CONTROL_PLANE_LISTEN'

/** Thrown by `control-plane`: what an operator or the disk got wrong. Denials to workloads are values, not errors. */
export class ControlPlaneError extends PicketError {
  readonly code: ControlPlaneErrorCode

  constructor(code: ControlPlaneErrorCode, message: string, options: { cause?: unknown; retryable?: boolean } = {}) {
    super(message, options)
    this.code = code
  }
}
