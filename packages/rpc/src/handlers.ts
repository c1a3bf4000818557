import type { Caller } from './caller.ts'
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
  SyncPush,
  SyncRequestMessage,
} from './messages.ts'

/**
 * What a control plane does with each call. The server has already checked who may call what (`caller.ts`) and parsed
 * the message. A handler refuses with an `RpcError`; anything else that it throws becomes INTERNAL without its text.
 */
export interface ControlPlaneHandlers {
  challenge(caller: Caller): Promise<ChallengeResponse>
  attest(request: AttestRequest, caller: Caller): Promise<AttestResponse>
  issue(request: IssueRequest, caller: Caller): Promise<IssueResponse>
  issueJwt(request: IssueJwtRequest, caller: Caller): Promise<IssueJwtResponse>
  /** Takes over the stream; throws an `RpcError` to refuse it at once. */
  sync(stream: SyncServerStream, caller: Caller): void
  readonly admin: AdminHandlers
  readonly authorities: AuthorityHandlers
  readonly revocations: RevocationHandlers
  readonly federation: FederationHandlers
}

export interface AdminHandlers {
  createToken(request: CreateTokenRequest, caller: Caller): Promise<CreateTokenResponse>
  createEntry(draft: EntryDraft, caller: Caller): Promise<Entry>
  listEntries(request: PageRequest, caller: Caller): Promise<ListEntriesResponse>
  deleteEntry(id: string, caller: Caller): Promise<Entry>
  /** All of the changes or none. */
  applyEntries(request: ApplyEntriesRequest, caller: Caller): Promise<ApplyEntriesResponse>
  explainIdentity(request: ExplainIdentityRequest, caller: Caller): Promise<ExplainIdentityResponse>
  /** `bundle` is the whole upload, at most 64 MiB. */
  pushPolicy(bundle: Buffer, caller: Caller): Promise<PolicyRevision>
  listPolicies(caller: Caller): Promise<readonly PolicyRevision[]>
  /** '' = every connected sidecar. Resolves with the SPIFFE IDs that were told. */
  rotateSvids(spiffeId: string, caller: Caller): Promise<readonly string[]>
  getStatus(caller: Caller): Promise<Status>
  listSidecars(request: PageRequest, caller: Caller): Promise<ListSidecarsResponse>
}

/** Every method resolves with the state after it. */
export interface AuthorityHandlers {
  getAuthorities(caller: Caller): Promise<AuthorityStatus>
  prepare(request: PrepareAuthorityRequest, caller: Caller): Promise<AuthorityStatus>
  activate(request: ActivateAuthorityRequest, caller: Caller): Promise<AuthorityStatus>
  taint(request: OldAuthorityRequest, caller: Caller): Promise<AuthorityStatus>
  revoke(request: OldAuthorityRequest, caller: Caller): Promise<AuthorityStatus>
  rotate(request: RotateAuthoritiesRequest, caller: Caller): Promise<AuthorityStatus>
}

export interface RevocationHandlers {
  create(request: CreateRevocationRequest, caller: Caller): Promise<Revocation>
  delete(request: DeleteRevocationRequest, caller: Caller): Promise<Revocation>
  list(request: PageRequest, caller: Caller): Promise<ListRevocationsResponse>
}

export interface FederationHandlers {
  set(request: SetRelationshipRequest, caller: Caller): Promise<Relationship>
  delete(trustDomain: string, caller: Caller): Promise<Relationship>
  list(caller: Caller): Promise<readonly Relationship[]>
  refresh(trustDomain: string, caller: Caller): Promise<Relationship>
}

/** The control plane's end of one sidecar's stream. */
export interface SyncServerStream {
  /** False = the transport is full: send no more until `onDrain`. Sending on an ended stream does nothing. */
  send(push: SyncPush): boolean
  onDrain(listener: () => void): void
  onMessage(listener: (message: SyncRequestMessage) => void): void
  /** Called once, whoever ended the stream and why. */
  onEnd(listener: () => void): void
  /** Ends the stream: in order, or with an error that the sidecar sees. */
  end(error?: Error): void
}
