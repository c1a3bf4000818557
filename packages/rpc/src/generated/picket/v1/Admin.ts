// Original file: proto/picket/v1/admin.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type {
  ApplyEntriesRequest as _picket_v1_ApplyEntriesRequest,
  ApplyEntriesRequest__Output as _picket_v1_ApplyEntriesRequest__Output,
} from '../../picket/v1/ApplyEntriesRequest.ts'
import type {
  ApplyEntriesResponse as _picket_v1_ApplyEntriesResponse,
  ApplyEntriesResponse__Output as _picket_v1_ApplyEntriesResponse__Output,
} from '../../picket/v1/ApplyEntriesResponse.ts'
import type {
  CreateEntryRequest as _picket_v1_CreateEntryRequest,
  CreateEntryRequest__Output as _picket_v1_CreateEntryRequest__Output,
} from '../../picket/v1/CreateEntryRequest.ts'
import type {
  CreateTokenRequest as _picket_v1_CreateTokenRequest,
  CreateTokenRequest__Output as _picket_v1_CreateTokenRequest__Output,
} from '../../picket/v1/CreateTokenRequest.ts'
import type {
  CreateTokenResponse as _picket_v1_CreateTokenResponse,
  CreateTokenResponse__Output as _picket_v1_CreateTokenResponse__Output,
} from '../../picket/v1/CreateTokenResponse.ts'
import type {
  DeleteEntryRequest as _picket_v1_DeleteEntryRequest,
  DeleteEntryRequest__Output as _picket_v1_DeleteEntryRequest__Output,
} from '../../picket/v1/DeleteEntryRequest.ts'
import type { Entry as _picket_v1_Entry, Entry__Output as _picket_v1_Entry__Output } from '../../picket/v1/Entry.ts'
import type {
  ExplainIdentityRequest as _picket_v1_ExplainIdentityRequest,
  ExplainIdentityRequest__Output as _picket_v1_ExplainIdentityRequest__Output,
} from '../../picket/v1/ExplainIdentityRequest.ts'
import type {
  ExplainIdentityResponse as _picket_v1_ExplainIdentityResponse,
  ExplainIdentityResponse__Output as _picket_v1_ExplainIdentityResponse__Output,
} from '../../picket/v1/ExplainIdentityResponse.ts'
import type {
  GetStatusRequest as _picket_v1_GetStatusRequest,
  GetStatusRequest__Output as _picket_v1_GetStatusRequest__Output,
} from '../../picket/v1/GetStatusRequest.ts'
import type {
  ListEntriesRequest as _picket_v1_ListEntriesRequest,
  ListEntriesRequest__Output as _picket_v1_ListEntriesRequest__Output,
} from '../../picket/v1/ListEntriesRequest.ts'
import type {
  ListEntriesResponse as _picket_v1_ListEntriesResponse,
  ListEntriesResponse__Output as _picket_v1_ListEntriesResponse__Output,
} from '../../picket/v1/ListEntriesResponse.ts'
import type {
  ListPoliciesRequest as _picket_v1_ListPoliciesRequest,
  ListPoliciesRequest__Output as _picket_v1_ListPoliciesRequest__Output,
} from '../../picket/v1/ListPoliciesRequest.ts'
import type {
  ListPoliciesResponse as _picket_v1_ListPoliciesResponse,
  ListPoliciesResponse__Output as _picket_v1_ListPoliciesResponse__Output,
} from '../../picket/v1/ListPoliciesResponse.ts'
import type {
  ListSidecarsRequest as _picket_v1_ListSidecarsRequest,
  ListSidecarsRequest__Output as _picket_v1_ListSidecarsRequest__Output,
} from '../../picket/v1/ListSidecarsRequest.ts'
import type {
  ListSidecarsResponse as _picket_v1_ListSidecarsResponse,
  ListSidecarsResponse__Output as _picket_v1_ListSidecarsResponse__Output,
} from '../../picket/v1/ListSidecarsResponse.ts'
import type {
  PolicyRevision as _picket_v1_PolicyRevision,
  PolicyRevision__Output as _picket_v1_PolicyRevision__Output,
} from '../../picket/v1/PolicyRevision.ts'
import type {
  PushPolicyRequest as _picket_v1_PushPolicyRequest,
  PushPolicyRequest__Output as _picket_v1_PushPolicyRequest__Output,
} from '../../picket/v1/PushPolicyRequest.ts'
import type {
  RotateSvidsRequest as _picket_v1_RotateSvidsRequest,
  RotateSvidsRequest__Output as _picket_v1_RotateSvidsRequest__Output,
} from '../../picket/v1/RotateSvidsRequest.ts'
import type {
  RotateSvidsResponse as _picket_v1_RotateSvidsResponse,
  RotateSvidsResponse__Output as _picket_v1_RotateSvidsResponse__Output,
} from '../../picket/v1/RotateSvidsResponse.ts'
import type {
  Status as _picket_v1_Status,
  Status__Output as _picket_v1_Status__Output,
} from '../../picket/v1/Status.ts'

export interface AdminClient extends grpc.Client {
  ApplyEntries(
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ApplyEntriesResponse__Output>,
  ): grpc.ClientWritableStream<_picket_v1_ApplyEntriesRequest>
  ApplyEntries(
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_ApplyEntriesResponse__Output>,
  ): grpc.ClientWritableStream<_picket_v1_ApplyEntriesRequest>
  ApplyEntries(
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ApplyEntriesResponse__Output>,
  ): grpc.ClientWritableStream<_picket_v1_ApplyEntriesRequest>
  ApplyEntries(
    callback: grpc.requestCallback<_picket_v1_ApplyEntriesResponse__Output>,
  ): grpc.ClientWritableStream<_picket_v1_ApplyEntriesRequest>
  applyEntries(
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ApplyEntriesResponse__Output>,
  ): grpc.ClientWritableStream<_picket_v1_ApplyEntriesRequest>
  applyEntries(
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_ApplyEntriesResponse__Output>,
  ): grpc.ClientWritableStream<_picket_v1_ApplyEntriesRequest>
  applyEntries(
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ApplyEntriesResponse__Output>,
  ): grpc.ClientWritableStream<_picket_v1_ApplyEntriesRequest>
  applyEntries(
    callback: grpc.requestCallback<_picket_v1_ApplyEntriesResponse__Output>,
  ): grpc.ClientWritableStream<_picket_v1_ApplyEntriesRequest>

  CreateEntry(
    argument: _picket_v1_CreateEntryRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Entry__Output>,
  ): grpc.ClientUnaryCall
  CreateEntry(
    argument: _picket_v1_CreateEntryRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_Entry__Output>,
  ): grpc.ClientUnaryCall
  CreateEntry(
    argument: _picket_v1_CreateEntryRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Entry__Output>,
  ): grpc.ClientUnaryCall
  CreateEntry(
    argument: _picket_v1_CreateEntryRequest,
    callback: grpc.requestCallback<_picket_v1_Entry__Output>,
  ): grpc.ClientUnaryCall
  createEntry(
    argument: _picket_v1_CreateEntryRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Entry__Output>,
  ): grpc.ClientUnaryCall
  createEntry(
    argument: _picket_v1_CreateEntryRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_Entry__Output>,
  ): grpc.ClientUnaryCall
  createEntry(
    argument: _picket_v1_CreateEntryRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Entry__Output>,
  ): grpc.ClientUnaryCall
  createEntry(
    argument: _picket_v1_CreateEntryRequest,
    callback: grpc.requestCallback<_picket_v1_Entry__Output>,
  ): grpc.ClientUnaryCall

  CreateToken(
    argument: _picket_v1_CreateTokenRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_CreateTokenResponse__Output>,
  ): grpc.ClientUnaryCall
  CreateToken(
    argument: _picket_v1_CreateTokenRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_CreateTokenResponse__Output>,
  ): grpc.ClientUnaryCall
  CreateToken(
    argument: _picket_v1_CreateTokenRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_CreateTokenResponse__Output>,
  ): grpc.ClientUnaryCall
  CreateToken(
    argument: _picket_v1_CreateTokenRequest,
    callback: grpc.requestCallback<_picket_v1_CreateTokenResponse__Output>,
  ): grpc.ClientUnaryCall
  createToken(
    argument: _picket_v1_CreateTokenRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_CreateTokenResponse__Output>,
  ): grpc.ClientUnaryCall
  createToken(
    argument: _picket_v1_CreateTokenRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_CreateTokenResponse__Output>,
  ): grpc.ClientUnaryCall
  createToken(
    argument: _picket_v1_CreateTokenRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_CreateTokenResponse__Output>,
  ): grpc.ClientUnaryCall
  createToken(
    argument: _picket_v1_CreateTokenRequest,
    callback: grpc.requestCallback<_picket_v1_CreateTokenResponse__Output>,
  ): grpc.ClientUnaryCall

  DeleteEntry(
    argument: _picket_v1_DeleteEntryRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Entry__Output>,
  ): grpc.ClientUnaryCall
  DeleteEntry(
    argument: _picket_v1_DeleteEntryRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_Entry__Output>,
  ): grpc.ClientUnaryCall
  DeleteEntry(
    argument: _picket_v1_DeleteEntryRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Entry__Output>,
  ): grpc.ClientUnaryCall
  DeleteEntry(
    argument: _picket_v1_DeleteEntryRequest,
    callback: grpc.requestCallback<_picket_v1_Entry__Output>,
  ): grpc.ClientUnaryCall
  deleteEntry(
    argument: _picket_v1_DeleteEntryRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Entry__Output>,
  ): grpc.ClientUnaryCall
  deleteEntry(
    argument: _picket_v1_DeleteEntryRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_Entry__Output>,
  ): grpc.ClientUnaryCall
  deleteEntry(
    argument: _picket_v1_DeleteEntryRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Entry__Output>,
  ): grpc.ClientUnaryCall
  deleteEntry(
    argument: _picket_v1_DeleteEntryRequest,
    callback: grpc.requestCallback<_picket_v1_Entry__Output>,
  ): grpc.ClientUnaryCall

  ExplainIdentity(
    argument: _picket_v1_ExplainIdentityRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ExplainIdentityResponse__Output>,
  ): grpc.ClientUnaryCall
  ExplainIdentity(
    argument: _picket_v1_ExplainIdentityRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_ExplainIdentityResponse__Output>,
  ): grpc.ClientUnaryCall
  ExplainIdentity(
    argument: _picket_v1_ExplainIdentityRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ExplainIdentityResponse__Output>,
  ): grpc.ClientUnaryCall
  ExplainIdentity(
    argument: _picket_v1_ExplainIdentityRequest,
    callback: grpc.requestCallback<_picket_v1_ExplainIdentityResponse__Output>,
  ): grpc.ClientUnaryCall
  explainIdentity(
    argument: _picket_v1_ExplainIdentityRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ExplainIdentityResponse__Output>,
  ): grpc.ClientUnaryCall
  explainIdentity(
    argument: _picket_v1_ExplainIdentityRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_ExplainIdentityResponse__Output>,
  ): grpc.ClientUnaryCall
  explainIdentity(
    argument: _picket_v1_ExplainIdentityRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ExplainIdentityResponse__Output>,
  ): grpc.ClientUnaryCall
  explainIdentity(
    argument: _picket_v1_ExplainIdentityRequest,
    callback: grpc.requestCallback<_picket_v1_ExplainIdentityResponse__Output>,
  ): grpc.ClientUnaryCall

  GetStatus(
    argument: _picket_v1_GetStatusRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Status__Output>,
  ): grpc.ClientUnaryCall
  GetStatus(
    argument: _picket_v1_GetStatusRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_Status__Output>,
  ): grpc.ClientUnaryCall
  GetStatus(
    argument: _picket_v1_GetStatusRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Status__Output>,
  ): grpc.ClientUnaryCall
  GetStatus(
    argument: _picket_v1_GetStatusRequest,
    callback: grpc.requestCallback<_picket_v1_Status__Output>,
  ): grpc.ClientUnaryCall
  getStatus(
    argument: _picket_v1_GetStatusRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Status__Output>,
  ): grpc.ClientUnaryCall
  getStatus(
    argument: _picket_v1_GetStatusRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_Status__Output>,
  ): grpc.ClientUnaryCall
  getStatus(
    argument: _picket_v1_GetStatusRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Status__Output>,
  ): grpc.ClientUnaryCall
  getStatus(
    argument: _picket_v1_GetStatusRequest,
    callback: grpc.requestCallback<_picket_v1_Status__Output>,
  ): grpc.ClientUnaryCall

  ListEntries(
    argument: _picket_v1_ListEntriesRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ListEntriesResponse__Output>,
  ): grpc.ClientUnaryCall
  ListEntries(
    argument: _picket_v1_ListEntriesRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_ListEntriesResponse__Output>,
  ): grpc.ClientUnaryCall
  ListEntries(
    argument: _picket_v1_ListEntriesRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ListEntriesResponse__Output>,
  ): grpc.ClientUnaryCall
  ListEntries(
    argument: _picket_v1_ListEntriesRequest,
    callback: grpc.requestCallback<_picket_v1_ListEntriesResponse__Output>,
  ): grpc.ClientUnaryCall
  listEntries(
    argument: _picket_v1_ListEntriesRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ListEntriesResponse__Output>,
  ): grpc.ClientUnaryCall
  listEntries(
    argument: _picket_v1_ListEntriesRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_ListEntriesResponse__Output>,
  ): grpc.ClientUnaryCall
  listEntries(
    argument: _picket_v1_ListEntriesRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ListEntriesResponse__Output>,
  ): grpc.ClientUnaryCall
  listEntries(
    argument: _picket_v1_ListEntriesRequest,
    callback: grpc.requestCallback<_picket_v1_ListEntriesResponse__Output>,
  ): grpc.ClientUnaryCall

  ListPolicies(
    argument: _picket_v1_ListPoliciesRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ListPoliciesResponse__Output>,
  ): grpc.ClientUnaryCall
  ListPolicies(
    argument: _picket_v1_ListPoliciesRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_ListPoliciesResponse__Output>,
  ): grpc.ClientUnaryCall
  ListPolicies(
    argument: _picket_v1_ListPoliciesRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ListPoliciesResponse__Output>,
  ): grpc.ClientUnaryCall
  ListPolicies(
    argument: _picket_v1_ListPoliciesRequest,
    callback: grpc.requestCallback<_picket_v1_ListPoliciesResponse__Output>,
  ): grpc.ClientUnaryCall
  listPolicies(
    argument: _picket_v1_ListPoliciesRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ListPoliciesResponse__Output>,
  ): grpc.ClientUnaryCall
  listPolicies(
    argument: _picket_v1_ListPoliciesRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_ListPoliciesResponse__Output>,
  ): grpc.ClientUnaryCall
  listPolicies(
    argument: _picket_v1_ListPoliciesRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ListPoliciesResponse__Output>,
  ): grpc.ClientUnaryCall
  listPolicies(
    argument: _picket_v1_ListPoliciesRequest,
    callback: grpc.requestCallback<_picket_v1_ListPoliciesResponse__Output>,
  ): grpc.ClientUnaryCall

  ListSidecars(
    argument: _picket_v1_ListSidecarsRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ListSidecarsResponse__Output>,
  ): grpc.ClientUnaryCall
  ListSidecars(
    argument: _picket_v1_ListSidecarsRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_ListSidecarsResponse__Output>,
  ): grpc.ClientUnaryCall
  ListSidecars(
    argument: _picket_v1_ListSidecarsRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ListSidecarsResponse__Output>,
  ): grpc.ClientUnaryCall
  ListSidecars(
    argument: _picket_v1_ListSidecarsRequest,
    callback: grpc.requestCallback<_picket_v1_ListSidecarsResponse__Output>,
  ): grpc.ClientUnaryCall
  listSidecars(
    argument: _picket_v1_ListSidecarsRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ListSidecarsResponse__Output>,
  ): grpc.ClientUnaryCall
  listSidecars(
    argument: _picket_v1_ListSidecarsRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_ListSidecarsResponse__Output>,
  ): grpc.ClientUnaryCall
  listSidecars(
    argument: _picket_v1_ListSidecarsRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ListSidecarsResponse__Output>,
  ): grpc.ClientUnaryCall
  listSidecars(
    argument: _picket_v1_ListSidecarsRequest,
    callback: grpc.requestCallback<_picket_v1_ListSidecarsResponse__Output>,
  ): grpc.ClientUnaryCall

  PushPolicy(
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_PolicyRevision__Output>,
  ): grpc.ClientWritableStream<_picket_v1_PushPolicyRequest>
  PushPolicy(
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_PolicyRevision__Output>,
  ): grpc.ClientWritableStream<_picket_v1_PushPolicyRequest>
  PushPolicy(
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_PolicyRevision__Output>,
  ): grpc.ClientWritableStream<_picket_v1_PushPolicyRequest>
  PushPolicy(
    callback: grpc.requestCallback<_picket_v1_PolicyRevision__Output>,
  ): grpc.ClientWritableStream<_picket_v1_PushPolicyRequest>
  pushPolicy(
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_PolicyRevision__Output>,
  ): grpc.ClientWritableStream<_picket_v1_PushPolicyRequest>
  pushPolicy(
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_PolicyRevision__Output>,
  ): grpc.ClientWritableStream<_picket_v1_PushPolicyRequest>
  pushPolicy(
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_PolicyRevision__Output>,
  ): grpc.ClientWritableStream<_picket_v1_PushPolicyRequest>
  pushPolicy(
    callback: grpc.requestCallback<_picket_v1_PolicyRevision__Output>,
  ): grpc.ClientWritableStream<_picket_v1_PushPolicyRequest>

  RotateSvids(
    argument: _picket_v1_RotateSvidsRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_RotateSvidsResponse__Output>,
  ): grpc.ClientUnaryCall
  RotateSvids(
    argument: _picket_v1_RotateSvidsRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_RotateSvidsResponse__Output>,
  ): grpc.ClientUnaryCall
  RotateSvids(
    argument: _picket_v1_RotateSvidsRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_RotateSvidsResponse__Output>,
  ): grpc.ClientUnaryCall
  RotateSvids(
    argument: _picket_v1_RotateSvidsRequest,
    callback: grpc.requestCallback<_picket_v1_RotateSvidsResponse__Output>,
  ): grpc.ClientUnaryCall
  rotateSvids(
    argument: _picket_v1_RotateSvidsRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_RotateSvidsResponse__Output>,
  ): grpc.ClientUnaryCall
  rotateSvids(
    argument: _picket_v1_RotateSvidsRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_RotateSvidsResponse__Output>,
  ): grpc.ClientUnaryCall
  rotateSvids(
    argument: _picket_v1_RotateSvidsRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_RotateSvidsResponse__Output>,
  ): grpc.ClientUnaryCall
  rotateSvids(
    argument: _picket_v1_RotateSvidsRequest,
    callback: grpc.requestCallback<_picket_v1_RotateSvidsResponse__Output>,
  ): grpc.ClientUnaryCall
}

export interface AdminHandlers extends grpc.UntypedServiceImplementation {
  ApplyEntries: grpc.handleClientStreamingCall<_picket_v1_ApplyEntriesRequest__Output, _picket_v1_ApplyEntriesResponse>

  CreateEntry: grpc.handleUnaryCall<_picket_v1_CreateEntryRequest__Output, _picket_v1_Entry>

  CreateToken: grpc.handleUnaryCall<_picket_v1_CreateTokenRequest__Output, _picket_v1_CreateTokenResponse>

  DeleteEntry: grpc.handleUnaryCall<_picket_v1_DeleteEntryRequest__Output, _picket_v1_Entry>

  ExplainIdentity: grpc.handleUnaryCall<_picket_v1_ExplainIdentityRequest__Output, _picket_v1_ExplainIdentityResponse>

  GetStatus: grpc.handleUnaryCall<_picket_v1_GetStatusRequest__Output, _picket_v1_Status>

  ListEntries: grpc.handleUnaryCall<_picket_v1_ListEntriesRequest__Output, _picket_v1_ListEntriesResponse>

  ListPolicies: grpc.handleUnaryCall<_picket_v1_ListPoliciesRequest__Output, _picket_v1_ListPoliciesResponse>

  ListSidecars: grpc.handleUnaryCall<_picket_v1_ListSidecarsRequest__Output, _picket_v1_ListSidecarsResponse>

  PushPolicy: grpc.handleClientStreamingCall<_picket_v1_PushPolicyRequest__Output, _picket_v1_PolicyRevision>

  RotateSvids: grpc.handleUnaryCall<_picket_v1_RotateSvidsRequest__Output, _picket_v1_RotateSvidsResponse>
}

export interface AdminDefinition extends grpc.ServiceDefinition {
  ApplyEntries: MethodDefinition<
    _picket_v1_ApplyEntriesRequest,
    _picket_v1_ApplyEntriesResponse,
    _picket_v1_ApplyEntriesRequest__Output,
    _picket_v1_ApplyEntriesResponse__Output
  >
  CreateEntry: MethodDefinition<
    _picket_v1_CreateEntryRequest,
    _picket_v1_Entry,
    _picket_v1_CreateEntryRequest__Output,
    _picket_v1_Entry__Output
  >
  CreateToken: MethodDefinition<
    _picket_v1_CreateTokenRequest,
    _picket_v1_CreateTokenResponse,
    _picket_v1_CreateTokenRequest__Output,
    _picket_v1_CreateTokenResponse__Output
  >
  DeleteEntry: MethodDefinition<
    _picket_v1_DeleteEntryRequest,
    _picket_v1_Entry,
    _picket_v1_DeleteEntryRequest__Output,
    _picket_v1_Entry__Output
  >
  ExplainIdentity: MethodDefinition<
    _picket_v1_ExplainIdentityRequest,
    _picket_v1_ExplainIdentityResponse,
    _picket_v1_ExplainIdentityRequest__Output,
    _picket_v1_ExplainIdentityResponse__Output
  >
  GetStatus: MethodDefinition<
    _picket_v1_GetStatusRequest,
    _picket_v1_Status,
    _picket_v1_GetStatusRequest__Output,
    _picket_v1_Status__Output
  >
  ListEntries: MethodDefinition<
    _picket_v1_ListEntriesRequest,
    _picket_v1_ListEntriesResponse,
    _picket_v1_ListEntriesRequest__Output,
    _picket_v1_ListEntriesResponse__Output
  >
  ListPolicies: MethodDefinition<
    _picket_v1_ListPoliciesRequest,
    _picket_v1_ListPoliciesResponse,
    _picket_v1_ListPoliciesRequest__Output,
    _picket_v1_ListPoliciesResponse__Output
  >
  ListSidecars: MethodDefinition<
    _picket_v1_ListSidecarsRequest,
    _picket_v1_ListSidecarsResponse,
    _picket_v1_ListSidecarsRequest__Output,
    _picket_v1_ListSidecarsResponse__Output
  >
  PushPolicy: MethodDefinition<
    _picket_v1_PushPolicyRequest,
    _picket_v1_PolicyRevision,
    _picket_v1_PushPolicyRequest__Output,
    _picket_v1_PolicyRevision__Output
  >
  RotateSvids: MethodDefinition<
    _picket_v1_RotateSvidsRequest,
    _picket_v1_RotateSvidsResponse,
    _picket_v1_RotateSvidsRequest__Output,
    _picket_v1_RotateSvidsResponse__Output
  >
}
