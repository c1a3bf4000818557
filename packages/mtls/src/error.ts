import { PicketError } from '@picket/runtime'

export type MtlsErrorCode = 'ERR_PORT_IN_USE' | 'ERR_LISTEN' | 'ERR_KEY_EXCHANGE'

/** Thrown when a listener cannot start or a setting is none. A refused peer is a value, see `PeerRefusal`. */
export class MtlsError extends PicketError {
  readonly code: MtlsErrorCode

  constructor(code: MtlsErrorCode, message: string, options: { cause?: unknown; retryable?: boolean } = {}) {
    super(message, options)
    this.code = code
  }
}
