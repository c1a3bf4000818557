export { RpcError, type RpcErrorCode } from './rpc-error.ts'
export type {
  ApplyEntriesRequest,
  ApplyEntriesResponse,
  CreateTokenRequest,
  CreateTokenResponse,
  Denial,
  Entry,
  EntryChange,
  EntryDraft,
  ExplainIdentityRequest,
  ExplainIdentityResponse,
  ListEntriesResponse,
  ListSidecarsResponse,
  NearMiss,
  PageRequest,
  PolicyRevision,
  ResourceStatus,
  SidecarStatus,
  Status,
} from './admin-messages.ts'
export {
  ROTATION_PHASES,
  type ActivateAuthorityRequest,
  type AffectedSidecar,
  type AuthorityInfo,
  type AuthorityStatus,
  type CreateRevocationRequest,
  type DeleteRevocationRequest,
  type Laggard,
  type ListRevocationsResponse,
  type OldAuthorityRequest,
  type PrepareAuthorityRequest,
  type Relationship,
  type Revocation,
  type RotateAuthoritiesRequest,
  type RotationPhase,
  type RotationProgress,
  type SetRelationshipRequest,
} from './authority-messages.ts'
export { toSignedChallenge, type ChallengeUse } from './challenge.ts'
export {
  RESOURCE_KINDS,
  type Ack,
  type AttestRequest,
  type AttestResponse,
  type ChallengeResponse,
  type Hello,
  type IssueJwtRequest,
  type IssueJwtResponse,
  type IssueRequest,
  type IssueResponse,
  type Nack,
  type Report,
  type Resource,
  type ResourceChunk,
  type ResourceKindName,
  type ResourceRevision,
  type SignedChallenge,
  type SvidMessage,
  type SyncPush,
  type SyncRequestMessage,
} from './messages.ts'
export {
  encodeEndpoints,
  encodeServiceConfig,
  isServiceName,
  parseEndpoints,
  parseServiceConfig,
  type Endpoints,
  type ServiceConfig,
  type ServiceEndpoints,
} from './payloads.ts'
export {
  encodeIdentities,
  MOST_IDENTITIES,
  parseIdentities,
  type Identities,
  type IdentityRecord,
} from './identities-payload.ts'
export { encodeRevocations, MOST_REVOCATIONS, parseRevocations, type Revocations } from './revocations-payload.ts'
export { controlPlaneId, isReservedId, operatorId, type Caller } from './caller.ts'
export {
  CHUNK_BYTES,
  chunkDelta,
  chunkResource,
  createReassembler,
  DELTA_REFUSED,
  RESOURCE_BYTES,
  type Reassembler,
} from './chunks.ts'
export { createDelta } from './delta.ts'
export type {
  AdminHandlers,
  AuthorityHandlers,
  ControlPlaneHandlers,
  FederationHandlers,
  RevocationHandlers,
  SyncServerStream,
} from './handlers.ts'
export { startControlPlaneServer, type ControlPlaneServer } from './server.ts'
export { connectControlPlane } from './client.ts'
export type {
  AdminClient,
  AuthorityClient,
  CallOptions,
  ControlPlaneClient,
  FederationClient,
  RevocationClient,
  SyncClientStream,
  SyncOptions,
} from './control-plane-client.ts'
export type { Standing, WorkloadHandlers } from './workload/handlers.ts'
export type {
  JwtBundleState,
  JwtSvidEntry,
  JwtSvidRequest,
  SecretState,
  ValidatedJwtSvid,
  ValidateJwtSvidRequest,
  X509BundleState,
  X509SvidEntry,
  X509SvidState,
} from './workload/messages.ts'
export { createWorkloadServer, type WorkloadServer } from './workload/server.ts'
