// Original file: proto/picket/v1/federation.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type {
  DeleteRelationshipRequest as _picket_v1_DeleteRelationshipRequest,
  DeleteRelationshipRequest__Output as _picket_v1_DeleteRelationshipRequest__Output,
} from '../../picket/v1/DeleteRelationshipRequest.ts'
import type {
  ListRelationshipsRequest as _picket_v1_ListRelationshipsRequest,
  ListRelationshipsRequest__Output as _picket_v1_ListRelationshipsRequest__Output,
} from '../../picket/v1/ListRelationshipsRequest.ts'
import type {
  ListRelationshipsResponse as _picket_v1_ListRelationshipsResponse,
  ListRelationshipsResponse__Output as _picket_v1_ListRelationshipsResponse__Output,
} from '../../picket/v1/ListRelationshipsResponse.ts'
import type {
  RefreshRelationshipRequest as _picket_v1_RefreshRelationshipRequest,
  RefreshRelationshipRequest__Output as _picket_v1_RefreshRelationshipRequest__Output,
} from '../../picket/v1/RefreshRelationshipRequest.ts'
import type {
  Relationship as _picket_v1_Relationship,
  Relationship__Output as _picket_v1_Relationship__Output,
} from '../../picket/v1/Relationship.ts'
import type {
  SetRelationshipRequest as _picket_v1_SetRelationshipRequest,
  SetRelationshipRequest__Output as _picket_v1_SetRelationshipRequest__Output,
} from '../../picket/v1/SetRelationshipRequest.ts'

export interface FederationClient extends grpc.Client {
  DeleteRelationship(
    argument: _picket_v1_DeleteRelationshipRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Relationship__Output>,
  ): grpc.ClientUnaryCall
  DeleteRelationship(
    argument: _picket_v1_DeleteRelationshipRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_Relationship__Output>,
  ): grpc.ClientUnaryCall
  DeleteRelationship(
    argument: _picket_v1_DeleteRelationshipRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Relationship__Output>,
  ): grpc.ClientUnaryCall
  DeleteRelationship(
    argument: _picket_v1_DeleteRelationshipRequest,
    callback: grpc.requestCallback<_picket_v1_Relationship__Output>,
  ): grpc.ClientUnaryCall
  deleteRelationship(
    argument: _picket_v1_DeleteRelationshipRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Relationship__Output>,
  ): grpc.ClientUnaryCall
  deleteRelationship(
    argument: _picket_v1_DeleteRelationshipRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_Relationship__Output>,
  ): grpc.ClientUnaryCall
  deleteRelationship(
    argument: _picket_v1_DeleteRelationshipRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Relationship__Output>,
  ): grpc.ClientUnaryCall
  deleteRelationship(
    argument: _picket_v1_DeleteRelationshipRequest,
    callback: grpc.requestCallback<_picket_v1_Relationship__Output>,
  ): grpc.ClientUnaryCall

  ListRelationships(
    argument: _picket_v1_ListRelationshipsRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ListRelationshipsResponse__Output>,
  ): grpc.ClientUnaryCall
  ListRelationships(
    argument: _picket_v1_ListRelationshipsRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_ListRelationshipsResponse__Output>,
  ): grpc.ClientUnaryCall
  ListRelationships(
    argument: _picket_v1_ListRelationshipsRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ListRelationshipsResponse__Output>,
  ): grpc.ClientUnaryCall
  ListRelationships(
    argument: _picket_v1_ListRelationshipsRequest,
    callback: grpc.requestCallback<_picket_v1_ListRelationshipsResponse__Output>,
  ): grpc.ClientUnaryCall
  listRelationships(
    argument: _picket_v1_ListRelationshipsRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ListRelationshipsResponse__Output>,
  ): grpc.ClientUnaryCall
  listRelationships(
    argument: _picket_v1_ListRelationshipsRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_ListRelationshipsResponse__Output>,
  ): grpc.ClientUnaryCall
  listRelationships(
    argument: _picket_v1_ListRelationshipsRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ListRelationshipsResponse__Output>,
  ): grpc.ClientUnaryCall
  listRelationships(
    argument: _picket_v1_ListRelationshipsRequest,
    callback: grpc.requestCallback<_picket_v1_ListRelationshipsResponse__Output>,
  ): grpc.ClientUnaryCall

  RefreshRelationship(
    argument: _picket_v1_RefreshRelationshipRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Relationship__Output>,
  ): grpc.ClientUnaryCall
  RefreshRelationship(
    argument: _picket_v1_RefreshRelationshipRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_Relationship__Output>,
  ): grpc.ClientUnaryCall
  RefreshRelationship(
    argument: _picket_v1_RefreshRelationshipRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Relationship__Output>,
  ): grpc.ClientUnaryCall
  RefreshRelationship(
    argument: _picket_v1_RefreshRelationshipRequest,
    callback: grpc.requestCallback<_picket_v1_Relationship__Output>,
  ): grpc.ClientUnaryCall
  refreshRelationship(
    argument: _picket_v1_RefreshRelationshipRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Relationship__Output>,
  ): grpc.ClientUnaryCall
  refreshRelationship(
    argument: _picket_v1_RefreshRelationshipRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_Relationship__Output>,
  ): grpc.ClientUnaryCall
  refreshRelationship(
    argument: _picket_v1_RefreshRelationshipRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Relationship__Output>,
  ): grpc.ClientUnaryCall
  refreshRelationship(
    argument: _picket_v1_RefreshRelationshipRequest,
    callback: grpc.requestCallback<_picket_v1_Relationship__Output>,
  ): grpc.ClientUnaryCall

  SetRelationship(
    argument: _picket_v1_SetRelationshipRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Relationship__Output>,
  ): grpc.ClientUnaryCall
  SetRelationship(
    argument: _picket_v1_SetRelationshipRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_Relationship__Output>,
  ): grpc.ClientUnaryCall
  SetRelationship(
    argument: _picket_v1_SetRelationshipRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Relationship__Output>,
  ): grpc.ClientUnaryCall
  SetRelationship(
    argument: _picket_v1_SetRelationshipRequest,
    callback: grpc.requestCallback<_picket_v1_Relationship__Output>,
  ): grpc.ClientUnaryCall
  setRelationship(
    argument: _picket_v1_SetRelationshipRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Relationship__Output>,
  ): grpc.ClientUnaryCall
  setRelationship(
    argument: _picket_v1_SetRelationshipRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_Relationship__Output>,
  ): grpc.ClientUnaryCall
  setRelationship(
    argument: _picket_v1_SetRelationshipRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Relationship__Output>,
  ): grpc.ClientUnaryCall
  setRelationship(
    argument: _picket_v1_SetRelationshipRequest,
    callback: grpc.requestCallback<_picket_v1_Relationship__Output>,
  ): grpc.ClientUnaryCall
}

export interface FederationHandlers extends grpc.UntypedServiceImplementation {
  DeleteRelationship: grpc.handleUnaryCall<_picket_v1_DeleteRelationshipRequest__Output, _picket_v1_Relationship>

  ListRelationships: grpc.handleUnaryCall<
    _picket_v1_ListRelationshipsRequest__Output,
    _picket_v1_ListRelationshipsResponse
  >

  RefreshRelationship: grpc.handleUnaryCall<_picket_v1_RefreshRelationshipRequest__Output, _picket_v1_Relationship>

  SetRelationship: grpc.handleUnaryCall<_picket_v1_SetRelationshipRequest__Output, _picket_v1_Relationship>
}

export interface FederationDefinition extends grpc.ServiceDefinition {
  DeleteRelationship: MethodDefinition<
    _picket_v1_DeleteRelationshipRequest,
    _picket_v1_Relationship,
    _picket_v1_DeleteRelationshipRequest__Output,
    _picket_v1_Relationship__Output
  >
  ListRelationships: MethodDefinition<
    _picket_v1_ListRelationshipsRequest,
    _picket_v1_ListRelationshipsResponse,
    _picket_v1_ListRelationshipsRequest__Output,
    _picket_v1_ListRelationshipsResponse__Output
  >
  RefreshRelationship: MethodDefinition<
    _picket_v1_RefreshRelationshipRequest,
    _picket_v1_Relationship,
    _picket_v1_RefreshRelationshipRequest__Output,
    _picket_v1_Relationship__Output
  >
  SetRelationship: MethodDefinition<
    _picket_v1_SetRelationshipRequest,
    _picket_v1_Relationship,
    _picket_v1_SetRelationshipRequest__Output,
    _picket_v1_Relationship__Output
  >
}
