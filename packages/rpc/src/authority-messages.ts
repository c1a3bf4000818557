/** What an operator says to the control plane about authorities, revocations and federation, and hears from it. */
export type AuthorityKindName = 'x509' | 'jwt'

export interface PrepareAuthorityRequest {
  readonly kind: string
  /** '' = that of the active one. */
  readonly algorithm: string
}

export interface ActivateAuthorityRequest {
  readonly kind: string
  /** Without waiting for acknowledgements. */
  readonly force: boolean
}

export interface OldAuthorityRequest {
  readonly kind: string
  readonly keyId: string
  /** Revoke: although connected sidecars still hold SVIDs of it. */
  readonly force: boolean
}

export interface RotateAuthoritiesRequest {
  /** [] = both. */
  readonly kinds: readonly string[]
  /** '' = as it is; likewise `svidAlgorithm`. */
  readonly algorithm: string
  readonly svidAlgorithm: string
  readonly emergency: boolean
  /** Stop after activation. */
  readonly keepOld: boolean
  /** 0 = 100. */
  readonly quorumPercent: number
  /** 0 = for ever, or 30 in an emergency. */
  readonly deadlineSeconds: number
  readonly dryRun: boolean
}

export interface AuthorityInfo {
  readonly kind: string
  readonly keyId: string
  readonly algorithm: string
  /** prepared, active or old */
  readonly state: string
  readonly tainted: boolean
  readonly notBeforeMs: number
  readonly notAfterMs: number
  readonly preparedAtMs: number
  /** 0 = never. */
  readonly activatedAtMs: number
  readonly upstream: boolean
  /** Connected sidecars that hold an SVID signed by it. */
  readonly holders: number
  /** Connected sidecars that have acknowledged a bundle with it. */
  readonly acknowledged: number
}

export const ROTATION_PHASES = [
  'preparing',
  'distributing',
  'activating',
  'tainting',
  'reissuing',
  'revoking',
  'done',
] as const

export type RotationPhase = (typeof ROTATION_PHASES)[number]

export interface Laggard {
  readonly spiffeId: string
  readonly instanceId: string
  readonly reason: string
}

export interface RotationProgress {
  readonly id: string
  readonly reason: string
  /** One of `ROTATION_PHASES`, or what a newer control plane calls it. */
  readonly phase: string
  readonly startedAtMs: number
  /** 0 = none. */
  readonly phaseDeadlineAtMs: number
  readonly connected: number
  readonly followed: number
  readonly laggards: readonly Laggard[]
  readonly quorumPercent: number
}

export interface AffectedSidecar {
  readonly spiffeId: string
  readonly instanceId: string
  readonly service: string
  readonly connected: boolean
  readonly authorityKeyIds: readonly string[]
}

export interface AuthorityStatus {
  readonly authorities: readonly AuthorityInfo[]
  readonly rotation: RotationProgress | undefined
  readonly svidAlgorithm: string
  /** Decimal. */
  readonly bundleSequence: string
  readonly affected: readonly AffectedSidecar[]
}

export interface CreateRevocationRequest {
  /** spiffe-id, serial or authority-key */
  readonly kind: string
  readonly value: string
  readonly reason: string
  /** 0 = until it is taken off. */
  readonly expiresAtMs: number
}

export interface DeleteRevocationRequest {
  readonly kind: string
  readonly value: string
}

export interface Revocation extends CreateRevocationRequest {
  readonly createdAtMs: number
  readonly createdBy: string
  /** How many connected sidecars have acknowledged the list with it, of how many. */
  readonly acknowledged: number
  readonly connected: number
}

export interface ListRevocationsResponse {
  readonly revocations: readonly Revocation[]
  readonly nextPageToken: string
}

export interface SetRelationshipRequest {
  readonly trustDomain: string
  readonly url: string
  /** https_web or https_spiffe */
  readonly profile: string
  /** https_spiffe: whom the endpoint must be. */
  readonly endpointSpiffeId: string
  /** SPIFFE bundle to begin with, or ''. */
  readonly bundle: string
}

export interface Relationship {
  readonly trustDomain: string
  readonly url: string
  readonly profile: string
  readonly endpointSpiffeId: string
  readonly hasBundle: boolean
  /** Decimal. */
  readonly sequence: string
  readonly refreshHintSeconds: number
  readonly x509Authorities: number
  readonly jwtAuthorities: number
  readonly fetchedAtMs: number
  readonly nextFetchAtMs: number
  /** Of the last fetch; '' = it went well. */
  readonly failureCode: string
  readonly failureMessage: string
}
