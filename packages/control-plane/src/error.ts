import { PicketError } from '@picket/runtime'

export type ControlPlaneErrorCode =
  /** The file is there and is no sound Picket database. It is left as it was. */
  | 'ERR_DATABASE_CORRUPT'
  /** Another process has it. */
  | 'ERR_DATABASE_BUSY'
  /** Written by a newer Picket, or a migration that it went through has been edited since. */
  | 'ERR_DATABASE_MIGRATION'
  /** The disk is full or refuses: nothing of what was to be written is there. */
  | 'ERR_DATABASE_WRITE'
  | 'ERR_SEAL_KEY_MISSING'
  | 'ERR_PORT_IN_USE'
  | 'ERR_LISTEN'
  | 'ERR_ENTRY_INVALID'
  | 'ERR_ENTRY_DUPLICATE'
  | 'ERR_ENTRY_MISSING'
  /** Somebody changed entries since the caller looked. */
  | 'ERR_ENTRIES_CHANGED'
  /** A live SVID of another SPIFFE ID has this service's name. */
  | 'ERR_SERVICE_TAKEN'
  /** Settings of an attestor that lack a partner, or a file of it that cannot be read. */
  | 'ERR_ATTESTOR'
  | 'ERR_PAGE'
  | 'ERR_TOKEN_INVALID'
  | 'ERR_POLICY_CONFLICT'
  /** A federation relationship that cannot be: its URL, its profile, whom it names. */
  | 'ERR_RELATIONSHIP_INVALID'
  | 'ERR_RELATIONSHIP_MISSING'
  /** Settings of the bundle endpoint that do not fit together, or a certificate that it cannot use. */
  | 'ERR_BUNDLE_ENDPOINT'
  /** Something on the deny-list that cannot be: no such kind, no such value, over already. */
  | 'ERR_REVOCATION_INVALID'
  /** Revoking it would leave nobody who could take that back. */
  | 'ERR_REVOCATION_REFUSED'
  | 'ERR_REVOCATION_MISSING'
  /** A rotation that cannot be: an unknown kind or algorithm, a deadline without bounds. */
  | 'ERR_ROTATION_INVALID'
  /** A rotation is under way, whose steps nobody else may take. */
  | 'ERR_ROTATION_UNDER_WAY'
  /** Connected sidecars do not follow yet. */
  | 'ERR_ROTATION_LAGGARDS'
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
