import { PicketError } from '@picket/runtime'

export type AgentErrorCode =
  | 'ERR_NO_JOIN_TOKEN'
  | 'ERR_JOIN_TOKEN_FILE'
  | 'ERR_EVIDENCE_FILE'
  | 'ERR_ATTESTATION_REFUSED'
  | 'ERR_SVID_MISMATCH'
  | 'ERR_TRUST_BUNDLE_FILE'
  | 'ERR_TRUST_BUNDLE_EMPTY'
  | 'ERR_TRUST_BUNDLE_ROLLBACK'
  | 'ERR_FEDERATED_BUNDLES'
  | 'ERR_SEAL_KEY_FILE'
  | 'ERR_STATE_DIR_IN_USE'
  | 'ERR_LAST_GOOD'

/** Thrown by `agent`: evidence that is missing or refused, a push that is refused as a whole, state that cannot be used. */
export class AgentError extends PicketError {
  readonly code: AgentErrorCode

  constructor(code: AgentErrorCode, message: string, options: { cause?: unknown; retryable?: boolean } = {}) {
    super(message, options)
    this.code = code
  }
}
