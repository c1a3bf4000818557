import { PicketError } from '@picket/runtime'

export type SidecarErrorCode =
  | 'ERR_SIDECAR_CONFIG'
  | 'ERR_PORT_IN_USE'
  | 'ERR_LISTEN'
  | 'ERR_NO_JOIN_TOKEN'
  | 'ERR_JOIN_TOKEN_FILE'
  | 'ERR_ATTESTATION_REFUSED'
  | 'ERR_SVID_MISMATCH'
  | 'ERR_TRUST_BUNDLE_FILE'
  | 'ERR_TRUST_BUNDLE_EMPTY'
  | 'ERR_TRUST_BUNDLE_ROLLBACK'
  | 'ERR_SEAL_KEY_FILE'
  | 'ERR_STATE_DIR_IN_USE'
  | 'ERR_LAST_GOOD'
  | 'ERR_INPUT_FILE'

/** Thrown by `sidecar`: contradictory configuration, a start that cannot succeed, an input that is refused as a whole. */
export class SidecarError extends PicketError {
  readonly code: SidecarErrorCode

  constructor(code: SidecarErrorCode, message: string, options: { cause?: unknown; retryable?: boolean } = {}) {
    super(message, options)
    this.code = code
  }
}
