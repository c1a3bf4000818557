import { PicketError } from '@picket/runtime'

export type CliErrorCode =
  | 'ERR_USAGE'
  | 'ERR_CONFIG_FILE'
  | 'ERR_CONTROL_PLANE_DOWN'
  | 'ERR_OPERATOR_IDENTITY'
  | 'ERR_NO_AUTHORITY'
  | 'ERR_COMMAND_NOT_FOUND'
  | 'ERR_SIDECAR_STOPPED'
  | 'ERR_INPUT'

/** Thrown by `cli`: a command that cannot be understood, or that lacks what it needs to begin. */
export class CliError extends PicketError {
  readonly code: CliErrorCode

  constructor(code: CliErrorCode, message: string, options: { cause?: unknown; retryable?: boolean } = {}) {
    super(message, options)
    this.code = code
  }
}
