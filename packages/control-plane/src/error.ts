import { PicketError } from '@picket/runtime'

export type ControlPlaneErrorCode =
  /** The file is there and is no sound Picket database. It is left as it was. */
  | 'ERR_DATABASE_CORRUPT'
  /** Another process has it. */
  | 'ERR_DATABASE_BUSY'
  /** Written by a newer Picket, or a migration that it went through has been edited since. */
  | 'ERR_DATABASE_MIGRATION'
  | 'ERR_SEAL_KEY_MISSING'
  | 'ERR_PORT_IN_USE'
  | 'ERR_LISTEN'
  | 'ERR_ENTRY_INVALID'
  | 'ERR_ENTRY_DUPLICATE'
  | 'ERR_ENTRY_MISSING'
  | 'ERR_PAGE'
  | 'ERR_TOKEN_INVALID'
  | 'ERR_POLICY_CONFLICT'
  /** A federation relationship that cannot be: its URL, its profile, whom it names. */
  | 'ERR_RELATIONSHIP_INVALID'
  | 'ERR_RELATIONSHIP_MISSING'
  /** Settings of the bundle endpoint that do not fit together, or a certificate that it cannot use. */
  | 'ERR_BUNDLE_ENDPOINT'
  /** A sidecar names an address that nobody can reach. */
  | 'ERR_ADVERTISE'

/** Thrown by `control-plane`. Callers of the wire see it through `rpc-answer.ts`; expected denials are values. */
export class ControlPlaneError extends PicketError {
  readonly code: ControlPlaneErrorCode

  constructor(code: ControlPlaneErrorCode, message: string, options: { cause?: unknown; retryable?: boolean } = {}) {
    super(message, options)
    this.code = code
  }
}
