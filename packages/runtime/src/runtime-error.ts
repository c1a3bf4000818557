import { PicketError } from './error.ts'

export type RuntimeErrorCode =
  'ERR_DURATION' | 'ERR_ADDRESS' | 'ERR_SEAL_KEY' | 'ERR_SEALED_FILE' | 'ERR_SETTINGS' | 'ERR_PORT_IN_USE'

/** Thrown by `runtime`: malformed durations, addresses and settings, and sealed files that do not open. */
export class RuntimeError extends PicketError {
  readonly code: RuntimeErrorCode

  constructor(code: RuntimeErrorCode, message: string, options: { cause?: unknown; retryable?: boolean } = {}) {
    super(message, options)
    this.code = code
  }
}
