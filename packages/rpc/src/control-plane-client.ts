import type { BundleSource, TrustDomain, X509Svid } from '@picket/identity'
import type { Clock, HostPort, Logger, Watch } from '@picket/runtime'
import type {
  AttestRequest,
  AttestResponse,
  CreateTokenRequest,
  CreateTokenResponse,
  Entry,
  EntryDraft,
  IssueRequest,
  IssueResponse,
  ListEntriesRequest,
  ListEntriesResponse,
  PolicyRevision,
  Resource,
  Status,
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
 * `spiffe://TRUST_DOMAIN/picket/control-plane`. Connects on the first call; each new SVID or bundle means a new
 * connection, on which later calls go, while calls in flight end on the old one. Every method rejects with an `RpcError`.
 */
export interface ControlPlaneClient extends AsyncDisposable {
  attest(request: AttestRequest, options?: CallOptions): Promise<AttestResponse>
  issue(request: IssueRequest, options?: CallOptions): Promise<IssueResponse>
  /** One stream, until `signal` aborts, the server ends it or the SVID is replaced; the caller opens the next. */
  sync(signal: AbortSignal): SyncClientStream
  readonly admin: AdminClient
}

/** Register listeners before the first `send`. */
export interface SyncClientStream {
  send(message: SyncRequestMessage): void
  /** Called once, when the server has accepted the stream. */
  onOpen(listener: () => void): void
  /** Whole resources only, in the order sent. */
  onResource(listener: (resource: Resource) => void): void
  onRotate(listener: () => void): void
  /** Undefined when it ended in order: aborted, ended by the server, or replaced SVID. Never rejects. */
  readonly closed: Promise<RpcError | undefined>
}

export interface AdminClient {
  createToken(request: CreateTokenRequest, options?: CallOptions): Promise<CreateTokenResponse>
  createEntry(draft: EntryDraft, options?: CallOptions): Promise<Entry>
  listEntries(request: ListEntriesRequest, options?: CallOptions): Promise<ListEntriesResponse>
  deleteEntry(id: string, options?: CallOptions): Promise<Entry>
  pushPolicy(bundle: Buffer, options?: CallOptions): Promise<PolicyRevision>
  listPolicies(options?: CallOptions): Promise<readonly PolicyRevision[]>
  /** '' = every connected sidecar. */
  rotateSvids(spiffeId: string, options?: CallOptions): Promise<readonly string[]>
  getStatus(options?: CallOptions): Promise<Status>
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
}
