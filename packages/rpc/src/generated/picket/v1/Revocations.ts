// Original file: proto/picket/v1/revocations.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type {
  CreateRevocationRequest as _picket_v1_CreateRevocationRequest,
  CreateRevocationRequest__Output as _picket_v1_CreateRevocationRequest__Output,
} from '../../picket/v1/CreateRevocationRequest.ts'
import type {
  DeleteRevocationRequest as _picket_v1_DeleteRevocationRequest,
  DeleteRevocationRequest__Output as _picket_v1_DeleteRevocationRequest__Output,
} from '../../picket/v1/DeleteRevocationRequest.ts'
import type {
  ListRevocationsRequest as _picket_v1_ListRevocationsRequest,
  ListRevocationsRequest__Output as _picket_v1_ListRevocationsRequest__Output,
} from '../../picket/v1/ListRevocationsRequest.ts'
import type {
  ListRevocationsResponse as _picket_v1_ListRevocationsResponse,
  ListRevocationsResponse__Output as _picket_v1_ListRevocationsResponse__Output,
} from '../../picket/v1/ListRevocationsResponse.ts'
import type {
  Revocation as _picket_v1_Revocation,
  Revocation__Output as _picket_v1_Revocation__Output,
} from '../../picket/v1/Revocation.ts'

export interface RevocationsClient extends grpc.Client {
  CreateRevocation(
    argument: _picket_v1_CreateRevocationRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Revocation__Output>,
  ): grpc.ClientUnaryCall
  CreateRevocation(
    argument: _picket_v1_CreateRevocationRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_Revocation__Output>,
  ): grpc.ClientUnaryCall
  CreateRevocation(
    argument: _picket_v1_CreateRevocationRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Revocation__Output>,
  ): grpc.ClientUnaryCall
  CreateRevocation(
    argument: _picket_v1_CreateRevocationRequest,
    callback: grpc.requestCallback<_picket_v1_Revocation__Output>,
  ): grpc.ClientUnaryCall
  createRevocation(
    argument: _picket_v1_CreateRevocationRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Revocation__Output>,
  ): grpc.ClientUnaryCall
  createRevocation(
    argument: _picket_v1_CreateRevocationRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_Revocation__Output>,
  ): grpc.ClientUnaryCall
  createRevocation(
    argument: _picket_v1_CreateRevocationRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Revocation__Output>,
  ): grpc.ClientUnaryCall
  createRevocation(
    argument: _picket_v1_CreateRevocationRequest,
    callback: grpc.requestCallback<_picket_v1_Revocation__Output>,
  ): grpc.ClientUnaryCall

  DeleteRevocation(
    argument: _picket_v1_DeleteRevocationRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Revocation__Output>,
  ): grpc.ClientUnaryCall
  DeleteRevocation(
    argument: _picket_v1_DeleteRevocationRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_Revocation__Output>,
  ): grpc.ClientUnaryCall
  DeleteRevocation(
    argument: _picket_v1_DeleteRevocationRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Revocation__Output>,
  ): grpc.ClientUnaryCall
  DeleteRevocation(
    argument: _picket_v1_DeleteRevocationRequest,
    callback: grpc.requestCallback<_picket_v1_Revocation__Output>,
  ): grpc.ClientUnaryCall
  deleteRevocation(
    argument: _picket_v1_DeleteRevocationRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Revocation__Output>,
  ): grpc.ClientUnaryCall
  deleteRevocation(
    argument: _picket_v1_DeleteRevocationRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_Revocation__Output>,
  ): grpc.ClientUnaryCall
  deleteRevocation(
    argument: _picket_v1_DeleteRevocationRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_Revocation__Output>,
  ): grpc.ClientUnaryCall
  deleteRevocation(
    argument: _picket_v1_DeleteRevocationRequest,
    callback: grpc.requestCallback<_picket_v1_Revocation__Output>,
  ): grpc.ClientUnaryCall

  ListRevocations(
    argument: _picket_v1_ListRevocationsRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ListRevocationsResponse__Output>,
  ): grpc.ClientUnaryCall
  ListRevocations(
    argument: _picket_v1_ListRevocationsRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_ListRevocationsResponse__Output>,
  ): grpc.ClientUnaryCall
  ListRevocations(
    argument: _picket_v1_ListRevocationsRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ListRevocationsResponse__Output>,
  ): grpc.ClientUnaryCall
  ListRevocations(
    argument: _picket_v1_ListRevocationsRequest,
    callback: grpc.requestCallback<_picket_v1_ListRevocationsResponse__Output>,
  ): grpc.ClientUnaryCall
  listRevocations(
    argument: _picket_v1_ListRevocationsRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ListRevocationsResponse__Output>,
  ): grpc.ClientUnaryCall
  listRevocations(
    argument: _picket_v1_ListRevocationsRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_ListRevocationsResponse__Output>,
  ): grpc.ClientUnaryCall
  listRevocations(
    argument: _picket_v1_ListRevocationsRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ListRevocationsResponse__Output>,
  ): grpc.ClientUnaryCall
  listRevocations(
    argument: _picket_v1_ListRevocationsRequest,
    callback: grpc.requestCallback<_picket_v1_ListRevocationsResponse__Output>,
  ): grpc.ClientUnaryCall
}

export interface RevocationsHandlers extends grpc.UntypedServiceImplementation {
  CreateRevocation: grpc.handleUnaryCall<_picket_v1_CreateRevocationRequest__Output, _picket_v1_Revocation>

  DeleteRevocation: grpc.handleUnaryCall<_picket_v1_DeleteRevocationRequest__Output, _picket_v1_Revocation>

  ListRevocations: grpc.handleUnaryCall<_picket_v1_ListRevocationsRequest__Output, _picket_v1_ListRevocationsResponse>
}

export interface RevocationsDefinition extends grpc.ServiceDefinition {
  CreateRevocation: MethodDefinition<
    _picket_v1_CreateRevocationRequest,
    _picket_v1_Revocation,
    _picket_v1_CreateRevocationRequest__Output,
    _picket_v1_Revocation__Output
  >
  DeleteRevocation: MethodDefinition<
    _picket_v1_DeleteRevocationRequest,
    _picket_v1_Revocation,
    _picket_v1_DeleteRevocationRequest__Output,
    _picket_v1_Revocation__Output
  >
  ListRevocations: MethodDefinition<
    _picket_v1_ListRevocationsRequest,
    _picket_v1_ListRevocationsResponse,
    _picket_v1_ListRevocationsRequest__Output,
    _picket_v1_ListRevocationsResponse__Output
  >
}
