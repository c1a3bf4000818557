// Original file: proto/picket/v1/authorities.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type {
  ActivateAuthorityRequest as _picket_v1_ActivateAuthorityRequest,
  ActivateAuthorityRequest__Output as _picket_v1_ActivateAuthorityRequest__Output,
} from '../../picket/v1/ActivateAuthorityRequest.ts'
import type {
  AuthorityStatus as _picket_v1_AuthorityStatus,
  AuthorityStatus__Output as _picket_v1_AuthorityStatus__Output,
} from '../../picket/v1/AuthorityStatus.ts'
import type {
  GetAuthoritiesRequest as _picket_v1_GetAuthoritiesRequest,
  GetAuthoritiesRequest__Output as _picket_v1_GetAuthoritiesRequest__Output,
} from '../../picket/v1/GetAuthoritiesRequest.ts'
import type {
  OldAuthorityRequest as _picket_v1_OldAuthorityRequest,
  OldAuthorityRequest__Output as _picket_v1_OldAuthorityRequest__Output,
} from '../../picket/v1/OldAuthorityRequest.ts'
import type {
  PrepareAuthorityRequest as _picket_v1_PrepareAuthorityRequest,
  PrepareAuthorityRequest__Output as _picket_v1_PrepareAuthorityRequest__Output,
} from '../../picket/v1/PrepareAuthorityRequest.ts'
import type {
  RotateAuthoritiesRequest as _picket_v1_RotateAuthoritiesRequest,
  RotateAuthoritiesRequest__Output as _picket_v1_RotateAuthoritiesRequest__Output,
} from '../../picket/v1/RotateAuthoritiesRequest.ts'

export interface AuthoritiesClient extends grpc.Client {
  ActivateAuthority(
    argument: _picket_v1_ActivateAuthorityRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  ActivateAuthority(
    argument: _picket_v1_ActivateAuthorityRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  ActivateAuthority(
    argument: _picket_v1_ActivateAuthorityRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  ActivateAuthority(
    argument: _picket_v1_ActivateAuthorityRequest,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  activateAuthority(
    argument: _picket_v1_ActivateAuthorityRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  activateAuthority(
    argument: _picket_v1_ActivateAuthorityRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  activateAuthority(
    argument: _picket_v1_ActivateAuthorityRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  activateAuthority(
    argument: _picket_v1_ActivateAuthorityRequest,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall

  GetAuthorities(
    argument: _picket_v1_GetAuthoritiesRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  GetAuthorities(
    argument: _picket_v1_GetAuthoritiesRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  GetAuthorities(
    argument: _picket_v1_GetAuthoritiesRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  GetAuthorities(
    argument: _picket_v1_GetAuthoritiesRequest,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  getAuthorities(
    argument: _picket_v1_GetAuthoritiesRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  getAuthorities(
    argument: _picket_v1_GetAuthoritiesRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  getAuthorities(
    argument: _picket_v1_GetAuthoritiesRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  getAuthorities(
    argument: _picket_v1_GetAuthoritiesRequest,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall

  PrepareAuthority(
    argument: _picket_v1_PrepareAuthorityRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  PrepareAuthority(
    argument: _picket_v1_PrepareAuthorityRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  PrepareAuthority(
    argument: _picket_v1_PrepareAuthorityRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  PrepareAuthority(
    argument: _picket_v1_PrepareAuthorityRequest,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  prepareAuthority(
    argument: _picket_v1_PrepareAuthorityRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  prepareAuthority(
    argument: _picket_v1_PrepareAuthorityRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  prepareAuthority(
    argument: _picket_v1_PrepareAuthorityRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  prepareAuthority(
    argument: _picket_v1_PrepareAuthorityRequest,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall

  RevokeAuthority(
    argument: _picket_v1_OldAuthorityRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  RevokeAuthority(
    argument: _picket_v1_OldAuthorityRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  RevokeAuthority(
    argument: _picket_v1_OldAuthorityRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  RevokeAuthority(
    argument: _picket_v1_OldAuthorityRequest,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  revokeAuthority(
    argument: _picket_v1_OldAuthorityRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  revokeAuthority(
    argument: _picket_v1_OldAuthorityRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  revokeAuthority(
    argument: _picket_v1_OldAuthorityRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  revokeAuthority(
    argument: _picket_v1_OldAuthorityRequest,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall

  RotateAuthorities(
    argument: _picket_v1_RotateAuthoritiesRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  RotateAuthorities(
    argument: _picket_v1_RotateAuthoritiesRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  RotateAuthorities(
    argument: _picket_v1_RotateAuthoritiesRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  RotateAuthorities(
    argument: _picket_v1_RotateAuthoritiesRequest,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  rotateAuthorities(
    argument: _picket_v1_RotateAuthoritiesRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  rotateAuthorities(
    argument: _picket_v1_RotateAuthoritiesRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  rotateAuthorities(
    argument: _picket_v1_RotateAuthoritiesRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  rotateAuthorities(
    argument: _picket_v1_RotateAuthoritiesRequest,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall

  TaintAuthority(
    argument: _picket_v1_OldAuthorityRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  TaintAuthority(
    argument: _picket_v1_OldAuthorityRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  TaintAuthority(
    argument: _picket_v1_OldAuthorityRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  TaintAuthority(
    argument: _picket_v1_OldAuthorityRequest,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  taintAuthority(
    argument: _picket_v1_OldAuthorityRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  taintAuthority(
    argument: _picket_v1_OldAuthorityRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  taintAuthority(
    argument: _picket_v1_OldAuthorityRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
  taintAuthority(
    argument: _picket_v1_OldAuthorityRequest,
    callback: grpc.requestCallback<_picket_v1_AuthorityStatus__Output>,
  ): grpc.ClientUnaryCall
}

export interface AuthoritiesHandlers extends grpc.UntypedServiceImplementation {
  ActivateAuthority: grpc.handleUnaryCall<_picket_v1_ActivateAuthorityRequest__Output, _picket_v1_AuthorityStatus>

  GetAuthorities: grpc.handleUnaryCall<_picket_v1_GetAuthoritiesRequest__Output, _picket_v1_AuthorityStatus>

  PrepareAuthority: grpc.handleUnaryCall<_picket_v1_PrepareAuthorityRequest__Output, _picket_v1_AuthorityStatus>

  RevokeAuthority: grpc.handleUnaryCall<_picket_v1_OldAuthorityRequest__Output, _picket_v1_AuthorityStatus>

  RotateAuthorities: grpc.handleUnaryCall<_picket_v1_RotateAuthoritiesRequest__Output, _picket_v1_AuthorityStatus>

  TaintAuthority: grpc.handleUnaryCall<_picket_v1_OldAuthorityRequest__Output, _picket_v1_AuthorityStatus>
}

export interface AuthoritiesDefinition extends grpc.ServiceDefinition {
  ActivateAuthority: MethodDefinition<
    _picket_v1_ActivateAuthorityRequest,
    _picket_v1_AuthorityStatus,
    _picket_v1_ActivateAuthorityRequest__Output,
    _picket_v1_AuthorityStatus__Output
  >
  GetAuthorities: MethodDefinition<
    _picket_v1_GetAuthoritiesRequest,
    _picket_v1_AuthorityStatus,
    _picket_v1_GetAuthoritiesRequest__Output,
    _picket_v1_AuthorityStatus__Output
  >
  PrepareAuthority: MethodDefinition<
    _picket_v1_PrepareAuthorityRequest,
    _picket_v1_AuthorityStatus,
    _picket_v1_PrepareAuthorityRequest__Output,
    _picket_v1_AuthorityStatus__Output
  >
  RevokeAuthority: MethodDefinition<
    _picket_v1_OldAuthorityRequest,
    _picket_v1_AuthorityStatus,
    _picket_v1_OldAuthorityRequest__Output,
    _picket_v1_AuthorityStatus__Output
  >
  RotateAuthorities: MethodDefinition<
    _picket_v1_RotateAuthoritiesRequest,
    _picket_v1_AuthorityStatus,
    _picket_v1_RotateAuthoritiesRequest__Output,
    _picket_v1_AuthorityStatus__Output
  >
  TaintAuthority: MethodDefinition<
    _picket_v1_OldAuthorityRequest,
    _picket_v1_AuthorityStatus,
    _picket_v1_OldAuthorityRequest__Output,
    _picket_v1_AuthorityStatus__Output
  >
}
