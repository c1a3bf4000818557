import { PicketError } from '@picket/runtime'

export type SidecarErrorCode =
  'ERR_SIDECAR_CONFIG' | 'ERR_PORT_IN_USE' | 'ERR_LISTEN' | 'ERR_INPUT_FILE' | 'ERR_PEER_CREDENTIALS'

/** Thrown by `sidecar`: contradictory configuration, a start that cannot succeed, an input that is refused as a whole. */
export class SidecarError extends PicketError {
  readonly code: SidecarErrorCode

  constructor(code: SidecarErrorCode, message: string, options: { cause?: unknown; retryable?: boolean } = {}) {
    super(message, options)
    this.code = code
  }
}
