import type { BundleSource, TrustDomain, X509Svid } from '@picket/identity'
import type { KeyExchangeProfile } from '@picket/mtls'
import type { Clock, HostPort, Logger, Watch } from '@picket/runtime'
import type {
  ApplyEntriesRequest,
  ApplyEntriesResponse,
  CreateTokenRequest,
  CreateTokenResponse,
  Entry,
  EntryDraft,
  ExplainIdentityRequest,
  ExplainIdentityResponse,
  ListEntriesResponse,
  ListSidecarsResponse,
  PageRequest,
  PolicyRevision,
  Status,
} from './admin-messages.ts'
import type {
  ActivateAuthorityRequest,
  AuthorityStatus,
  CreateRevocationRequest,
  DeleteRevocationRequest,
  ListRevocationsResponse,
  OldAuthorityRequest,
  PrepareAuthorityRequest,
  Relationship,
  Revocation,
  RotateAuthoritiesRequest,
  SetRelationshipRequest,
} from './authority-messages.ts'
import type {
  AttestRequest,
  AttestResponse,
  ChallengeResponse,
  IssueJwtRequest,
  IssueJwtResponse,
  IssueRequest,
  IssueResponse,
  Resource,
  ResourceKindName,
  SyncRequestMessage,
} from './messages.ts'
import type { RpcError } from './rpc-error.ts'

export interface CallOptions {
  readonly signal?: AbortSignal
  /** How long the call may take, connecting included; 10 s unless told (60 s for `pushPolicy`). */
  readonly deadlineMs?: number
}

/**
 * A sidecar's or an operator's view of the control plane. Nothing is sent before the server has proved to be
 * `spiffe://TRUST_DOMAIN/picket/control-plane`. Connects on the first call; each new SVID means a new connection, on which
 * later calls go, while calls and streams in flight end on the old one. When the bundles change the server of the live
 * connections is verified again: those that it no longer passes end at once, the others are not touched. Every method
 * rejects with an `RpcError`.
 */
export interface ControlPlaneClient extends AsyncDisposable {
  challenge(options?: CallOptions): Promise<ChallengeResponse>
  attest(request: AttestRequest, options?: CallOptions): Promise<AttestResponse>
  issue(request: IssueRequest, options?: CallOptions): Promise<IssueResponse>
  issueJwt(request: IssueJwtRequest, options?: CallOptions): Promise<IssueJwtResponse>
  /** One stream, until `signal` aborts or the server ends it; the caller opens the next, also after a change of its SVID. */
  sync(signal: AbortSignal, options?: SyncOptions): SyncClientStream
  /** Closes the connection when the calls on it are over; the next call makes another. */
  release(): void
  /** TLS key exchange group of the newest connection, such as `X25519MLKEM768`; undefined before the first. */
  readonly keyExchangeGroup: string | undefined
  readonly admin: AdminClient
  readonly authorities: AuthorityClient
  readonly revocations: RevocationClient
  readonly federation: FederationClient
}

export interface SyncOptions {
  /** The bytes of a revision that is held, which a delta may build on; a stream without it takes no deltas. */
  readonly baseOf?: (kind: ResourceKindName, revision: string) => Buffer | undefined
}

/** Register listeners before the first `send`. */
export interface SyncClientStream {
  send(message: SyncRequestMessage): void
  /** Called once, when the server has accepted the stream. */
  onOpen(listener: () => void): void
  /** Whole resources only, in the order sent. */
  onResource(listener: (resource: Resource) => void): void
  onRotate(listener: () => void): void
  /** Undefined when it ended in order: aborted, or ended by the server. Never rejects. */
  readonly closed: Promise<RpcError | undefined>
}

export interface AdminClient {
  createToken(request: CreateTokenRequest, options?: CallOptions): Promise<CreateTokenResponse>
  createEntry(draft: EntryDraft, options?: CallOptions): Promise<Entry>
  listEntries(request: PageRequest, options?: CallOptions): Promise<ListEntriesResponse>
  deleteEntry(id: string, options?: CallOptions): Promise<Entry>
  /** All of the changes or none. */
  applyEntries(request: ApplyEntriesRequest, options?: CallOptions): Promise<ApplyEntriesResponse>
  explainIdentity(request: ExplainIdentityRequest, options?: CallOptions): Promise<ExplainIdentityResponse>
  pushPolicy(bundle: Buffer, options?: CallOptions): Promise<PolicyRevision>
  listPolicies(options?: CallOptions): Promise<readonly PolicyRevision[]>
  /** '' = every connected sidecar. */
  rotateSvids(spiffeId: string, options?: CallOptions): Promise<readonly string[]>
  getStatus(options?: CallOptions): Promise<Status>
  listSidecars(request: PageRequest, options?: CallOptions): Promise<ListSidecarsResponse>
}

export interface AuthorityClient {
  getAuthorities(options?: CallOptions): Promise<AuthorityStatus>
  prepare(request: PrepareAuthorityRequest, options?: CallOptions): Promise<AuthorityStatus>
  activate(request: ActivateAuthorityRequest, options?: CallOptions): Promise<AuthorityStatus>
  taint(request: OldAuthorityRequest, options?: CallOptions): Promise<AuthorityStatus>
  revoke(request: OldAuthorityRequest, options?: CallOptions): Promise<AuthorityStatus>
  /** Resolves when it has begun: `getAuthorities` tells how far it is. */
  rotate(request: RotateAuthoritiesRequest, options?: CallOptions): Promise<AuthorityStatus>
}

export interface RevocationClient {
  create(request: CreateRevocationRequest, options?: CallOptions): Promise<Revocation>
  delete(request: DeleteRevocationRequest, options?: CallOptions): Promise<Revocation>
  list(request: PageRequest, options?: CallOptions): Promise<ListRevocationsResponse>
}

export interface FederationClient {
  set(request: SetRelationshipRequest, options?: CallOptions): Promise<Relationship>
  delete(trustDomain: string, options?: CallOptions): Promise<Relationship>
  list(options?: CallOptions): Promise<readonly Relationship[]>
  refresh(trustDomain: string, options?: CallOptions): Promise<Relationship>
}

export interface ControlPlaneClientDeps {
  readonly bundles: Watch<BundleSource>
  /** Undefined, or a watch of undefined: calls without a client certificate, which only `attest` takes. */
  readonly svid?: Watch<X509Svid | undefined>
  readonly clock: Clock
  readonly logger: Logger
}

export interface ControlPlaneClientOptions {
  readonly address: HostPort
  readonly trustDomain: TrustDomain
  /** `hybrid-preferred` unless told. */
  readonly keyExchange?: KeyExchangeProfile | undefined
}
