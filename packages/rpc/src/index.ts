export { RpcError, type RpcErrorCode } from './rpc-error.ts'
export {
  RESOURCE_KINDS,
  type Ack,
  type AttestRequest,
  type AttestResponse,
  type CreateTokenRequest,
  type CreateTokenResponse,
  type Entry,
  type EntryDraft,
  type Hello,
  type IssueRequest,
  type IssueResponse,
  type ListEntriesRequest,
  type ListEntriesResponse,
  type Nack,
  type PolicyRevision,
  type Report,
  type Resource,
  type ResourceChunk,
  type ResourceKindName,
  type ResourceRevision,
  type ResourceStatus,
  type SidecarStatus,
  type Status,
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
export { controlPlaneId, isReservedId, operatorId, type Caller } from './caller.ts'
export { CHUNK_BYTES, chunkResource, createReassembler, RESOURCE_BYTES, type Reassembler } from './chunks.ts'
export type { AdminHandlers, ControlPlaneHandlers, SyncServerStream } from './handlers.ts'
export { startControlPlaneServer, type ControlPlaneServer } from './server.ts'
export { connectControlPlane } from './client.ts'
export type { AdminClient, CallOptions, ControlPlaneClient, SyncClientStream } from './control-plane-client.ts'
