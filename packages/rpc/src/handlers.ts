import type { Caller } from './caller.ts'
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
  Status,
  SyncPush,
  SyncRequestMessage,
} from './messages.ts'

/**
 * What a control plane does with each call. The server has already checked who may call what (`caller.ts`) and parsed
 * the message. A handler refuses with an `RpcError`; anything else that it throws becomes INTERNAL without its text.
 */
export interface ControlPlaneHandlers {
  attest(request: AttestRequest, caller: Caller): Promise<AttestResponse>
  issue(request: IssueRequest, caller: Caller): Promise<IssueResponse>
  /** Takes over the stream; throws an `RpcError` to refuse it at once. */
  sync(stream: SyncServerStream, caller: Caller): void
  readonly admin: AdminHandlers
}

export interface AdminHandlers {
  createToken(request: CreateTokenRequest, caller: Caller): Promise<CreateTokenResponse>
  createEntry(draft: EntryDraft, caller: Caller): Promise<Entry>
  listEntries(request: ListEntriesRequest, caller: Caller): Promise<ListEntriesResponse>
  deleteEntry(id: string, caller: Caller): Promise<Entry>
  /** `bundle` is the whole upload, at most 64 MiB. */
  pushPolicy(bundle: Buffer, caller: Caller): Promise<PolicyRevision>
  listPolicies(caller: Caller): Promise<readonly PolicyRevision[]>
  /** '' = every connected sidecar. Resolves with the SPIFFE IDs that were told. */
  rotateSvids(spiffeId: string, caller: Caller): Promise<readonly string[]>
  getStatus(caller: Caller): Promise<Status>
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
