// Original file: proto/picket/v1/certificates.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type {
  AttestRequest as _picket_v1_AttestRequest,
  AttestRequest__Output as _picket_v1_AttestRequest__Output,
} from '../../picket/v1/AttestRequest.ts'
import type {
  AttestResponse as _picket_v1_AttestResponse,
  AttestResponse__Output as _picket_v1_AttestResponse__Output,
} from '../../picket/v1/AttestResponse.ts'
import type {
  IssueRequest as _picket_v1_IssueRequest,
  IssueRequest__Output as _picket_v1_IssueRequest__Output,
} from '../../picket/v1/IssueRequest.ts'
import type {
  IssueResponse as _picket_v1_IssueResponse,
  IssueResponse__Output as _picket_v1_IssueResponse__Output,
} from '../../picket/v1/IssueResponse.ts'

export interface CertificatesClient extends grpc.Client {
  Attest(
    argument: _picket_v1_AttestRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_AttestResponse__Output>,
  ): grpc.ClientUnaryCall
  Attest(
    argument: _picket_v1_AttestRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_AttestResponse__Output>,
  ): grpc.ClientUnaryCall
  Attest(
    argument: _picket_v1_AttestRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_AttestResponse__Output>,
  ): grpc.ClientUnaryCall
  Attest(
    argument: _picket_v1_AttestRequest,
    callback: grpc.requestCallback<_picket_v1_AttestResponse__Output>,
  ): grpc.ClientUnaryCall
  attest(
    argument: _picket_v1_AttestRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_AttestResponse__Output>,
  ): grpc.ClientUnaryCall
  attest(
    argument: _picket_v1_AttestRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_AttestResponse__Output>,
  ): grpc.ClientUnaryCall
  attest(
    argument: _picket_v1_AttestRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_AttestResponse__Output>,
  ): grpc.ClientUnaryCall
  attest(
    argument: _picket_v1_AttestRequest,
    callback: grpc.requestCallback<_picket_v1_AttestResponse__Output>,
  ): grpc.ClientUnaryCall

  Issue(
    argument: _picket_v1_IssueRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_IssueResponse__Output>,
  ): grpc.ClientUnaryCall
  Issue(
    argument: _picket_v1_IssueRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_IssueResponse__Output>,
  ): grpc.ClientUnaryCall
  Issue(
    argument: _picket_v1_IssueRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_IssueResponse__Output>,
  ): grpc.ClientUnaryCall
  Issue(
    argument: _picket_v1_IssueRequest,
    callback: grpc.requestCallback<_picket_v1_IssueResponse__Output>,
  ): grpc.ClientUnaryCall
  issue(
    argument: _picket_v1_IssueRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_IssueResponse__Output>,
  ): grpc.ClientUnaryCall
  issue(
    argument: _picket_v1_IssueRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_IssueResponse__Output>,
  ): grpc.ClientUnaryCall
  issue(
    argument: _picket_v1_IssueRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_IssueResponse__Output>,
  ): grpc.ClientUnaryCall
  issue(
    argument: _picket_v1_IssueRequest,
    callback: grpc.requestCallback<_picket_v1_IssueResponse__Output>,
  ): grpc.ClientUnaryCall
}

export interface CertificatesHandlers extends grpc.UntypedServiceImplementation {
  Attest: grpc.handleUnaryCall<_picket_v1_AttestRequest__Output, _picket_v1_AttestResponse>

  Issue: grpc.handleUnaryCall<_picket_v1_IssueRequest__Output, _picket_v1_IssueResponse>
}

export interface CertificatesDefinition extends grpc.ServiceDefinition {
  Attest: MethodDefinition<
    _picket_v1_AttestRequest,
    _picket_v1_AttestResponse,
    _picket_v1_AttestRequest__Output,
    _picket_v1_AttestResponse__Output
  >
  Issue: MethodDefinition<
    _picket_v1_IssueRequest,
    _picket_v1_IssueResponse,
    _picket_v1_IssueRequest__Output,
    _picket_v1_IssueResponse__Output
  >
}
