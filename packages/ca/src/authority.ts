import type {
  Certificate,
  Csr,
  KeyAlgorithm,
  RevokedCertificate,
  SpiffeId,
  TrustBundle,
  TrustDomain,
} from '@picket/identity'
import type { Clock, Random, SealKey, Watch } from '@picket/runtime'
import type { AuthorityKind, AuthoritySlot, RotationIntent } from './authority-slots.ts'
import type { UpstreamFiles } from './upstream.ts'

/** One authority as others see it. */
export interface AuthorityRecord extends AuthoritySlot {
  /** Of an X.509 authority. */
  readonly certificate: Certificate | undefined
}

/**
 * The certificate authority of one trust domain: two slots of each kind, so that a new authority is in everybody's bundle
 * before it signs, and an old one stays there until nothing depends on it. Whatever changes is on the disk before it
 * counts; a crash between any two steps leaves the state before or after. The methods that change something reject with
 * `ERR_AUTHORITY_STATE` when that may not be, and with `ERR_AUTHORITY_FILES`, retryable, when the disk refuses.
 */
export interface Authority extends AsyncDisposable {
  readonly trustDomain: TrustDomain
  /** All authorities that are not revoked; the sequence grows with each change. */
  readonly bundle: Watch<TrustBundle>
  readonly authorities: Watch<readonly AuthorityRecord[]>
  /** Of which kind workloads' keys should be. */
  readonly svidAlgorithm: KeyAlgorithm
  /** What is under way, if anything. */
  readonly rotation: RotationIntent | undefined
  setSvidAlgorithm(algorithm: KeyAlgorithm): Promise<void>
  setRotation(rotation: RotationIntent | undefined): Promise<void>
  /**
   * CSR → SVID chain by the active authority, leaf first, what is in the bundle left out. The parsed `Csr` is the proof
   * that the caller holds the key; whether it may have `id` was decided before. The SVID ends with its authority at the
   * latest. Throws `ERR_ISSUE_REQUEST`, `ERR_AUTHORITY_EXPIRED`, `ERR_LINT`, `ERR_JOURNAL`.
   */
  issue(request: IssueSvidRequest): Promise<readonly Certificate[]>
  /** A JWT-SVID by the active authority, for an hour at most. Throws what `issue` throws. */
  issueJwt(request: IssueJwtRequest): Promise<IssuedJwt>
  /**
   * A list of revoked serial numbers (RFC 5280 section 5, DER) by the active X.509 authority, whose end it does not
   * outlive. Throws `ERR_ISSUE_REQUEST`, `ERR_AUTHORITY_EXPIRED`; `IdentityError` for a list that cannot be.
   */
  signCrl(revoked: readonly RevokedCertificate[], validForMs: number): Promise<Buffer>
  /**
   * Makes an authority and publishes it in the bundle. While one of that algorithm (the active one's unless told) is
   * prepared, gives that one; another algorithm replaces it, and so does `anew`, for who does not trust what lies there.
   * Throws `ERR_UPSTREAM` too.
   */
  prepare(kind: AuthorityKind, options?: PrepareOptions): Promise<AuthorityRecord>
  /** The prepared one signs from now on, the active one is old. With `keyId`, nothing happens when it is active already. */
  activate(kind: AuthorityKind, keyId?: string): Promise<AuthorityRecord>
  /** Marks an old one as no longer to be relied on. */
  taint(kind: AuthorityKind, keyId: string): Promise<AuthorityRecord>
  /** Takes an old one that is tainted or expired out of the bundle, for ever. */
  revoke(kind: AuthorityKind, keyId: string): Promise<void>
  /** Drops old ones that expired a day ago; tells how many. */
  prune(): Promise<number>
}

export interface PrepareOptions {
  readonly algorithm?: KeyAlgorithm | undefined
  readonly anew?: boolean
}

export interface IssueSvidRequest {
  readonly csr: Csr
  readonly id: SpiffeId
  readonly ttlMs: number
  readonly dnsNames?: readonly string[]
  /** Who asked, for the journal. */
  readonly caller: string
  /** Which registration allowed it, for the journal. */
  readonly entryId?: string
  readonly entryRevision?: string
}

export interface IssueJwtRequest {
  readonly id: SpiffeId
  readonly audience: readonly string[]
  readonly ttlMs: number
  readonly caller: string
  readonly entryId?: string
  readonly entryRevision?: string
  /** The `iss` claim: where OIDC verifiers find the keys. */
  readonly issuer?: string
}

export interface IssuedJwt {
  readonly token: string
  readonly issuedAt: Date
  readonly expiresAt: Date
  readonly keyId: string
}

export interface AuthorityDeps {
  readonly clock: Clock
  readonly random: Random
}

export interface OpenAuthorityOptions {
  readonly sealKey: SealKey
  /** Of authorities prepared from now on. */
  readonly authorityTtlMs?: number
  /** Issues our X.509 authorities, instead of each signing itself. */
  readonly upstream?: UpstreamFiles
}

export interface InitAuthorityOptions {
  readonly trustDomain: TrustDomain
  readonly algorithm?: KeyAlgorithm
  readonly jwtAlgorithm?: KeyAlgorithm
  readonly ttlMs?: number
  readonly sealKey: SealKey
  readonly upstream?: UpstreamFiles
}
