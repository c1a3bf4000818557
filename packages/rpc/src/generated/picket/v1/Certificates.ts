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
  ChallengeRequest as _picket_v1_ChallengeRequest,
  ChallengeRequest__Output as _picket_v1_ChallengeRequest__Output,
} from '../../picket/v1/ChallengeRequest.ts'
import type {
  ChallengeResponse as _picket_v1_ChallengeResponse,
  ChallengeResponse__Output as _picket_v1_ChallengeResponse__Output,
} from '../../picket/v1/ChallengeResponse.ts'
import type {
  IssueJwtRequest as _picket_v1_IssueJwtRequest,
  IssueJwtRequest__Output as _picket_v1_IssueJwtRequest__Output,
} from '../../picket/v1/IssueJwtRequest.ts'
import type {
  IssueJwtResponse as _picket_v1_IssueJwtResponse,
  IssueJwtResponse__Output as _picket_v1_IssueJwtResponse__Output,
} from '../../picket/v1/IssueJwtResponse.ts'
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

  Challenge(
    argument: _picket_v1_ChallengeRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ChallengeResponse__Output>,
  ): grpc.ClientUnaryCall
  Challenge(
    argument: _picket_v1_ChallengeRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_ChallengeResponse__Output>,
  ): grpc.ClientUnaryCall
  Challenge(
    argument: _picket_v1_ChallengeRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ChallengeResponse__Output>,
  ): grpc.ClientUnaryCall
  Challenge(
    argument: _picket_v1_ChallengeRequest,
    callback: grpc.requestCallback<_picket_v1_ChallengeResponse__Output>,
  ): grpc.ClientUnaryCall
  challenge(
    argument: _picket_v1_ChallengeRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ChallengeResponse__Output>,
  ): grpc.ClientUnaryCall
  challenge(
    argument: _picket_v1_ChallengeRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_ChallengeResponse__Output>,
  ): grpc.ClientUnaryCall
  challenge(
    argument: _picket_v1_ChallengeRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_ChallengeResponse__Output>,
  ): grpc.ClientUnaryCall
  challenge(
    argument: _picket_v1_ChallengeRequest,
    callback: grpc.requestCallback<_picket_v1_ChallengeResponse__Output>,
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

  IssueJwt(
    argument: _picket_v1_IssueJwtRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_IssueJwtResponse__Output>,
  ): grpc.ClientUnaryCall
  IssueJwt(
    argument: _picket_v1_IssueJwtRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_IssueJwtResponse__Output>,
  ): grpc.ClientUnaryCall
  IssueJwt(
    argument: _picket_v1_IssueJwtRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_IssueJwtResponse__Output>,
  ): grpc.ClientUnaryCall
  IssueJwt(
    argument: _picket_v1_IssueJwtRequest,
    callback: grpc.requestCallback<_picket_v1_IssueJwtResponse__Output>,
  ): grpc.ClientUnaryCall
  issueJwt(
    argument: _picket_v1_IssueJwtRequest,
    metadata: grpc.Metadata,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_IssueJwtResponse__Output>,
  ): grpc.ClientUnaryCall
  issueJwt(
    argument: _picket_v1_IssueJwtRequest,
    metadata: grpc.Metadata,
    callback: grpc.requestCallback<_picket_v1_IssueJwtResponse__Output>,
  ): grpc.ClientUnaryCall
  issueJwt(
    argument: _picket_v1_IssueJwtRequest,
    options: grpc.CallOptions,
    callback: grpc.requestCallback<_picket_v1_IssueJwtResponse__Output>,
  ): grpc.ClientUnaryCall
  issueJwt(
    argument: _picket_v1_IssueJwtRequest,
    callback: grpc.requestCallback<_picket_v1_IssueJwtResponse__Output>,
  ): grpc.ClientUnaryCall
}

export interface CertificatesHandlers extends grpc.UntypedServiceImplementation {
  Attest: grpc.handleUnaryCall<_picket_v1_AttestRequest__Output, _picket_v1_AttestResponse>

  Challenge: grpc.handleUnaryCall<_picket_v1_ChallengeRequest__Output, _picket_v1_ChallengeResponse>

  Issue: grpc.handleUnaryCall<_picket_v1_IssueRequest__Output, _picket_v1_IssueResponse>

  IssueJwt: grpc.handleUnaryCall<_picket_v1_IssueJwtRequest__Output, _picket_v1_IssueJwtResponse>
}

export interface CertificatesDefinition extends grpc.ServiceDefinition {
  Attest: MethodDefinition<
    _picket_v1_AttestRequest,
    _picket_v1_AttestResponse,
    _picket_v1_AttestRequest__Output,
    _picket_v1_AttestResponse__Output
  >
  Challenge: MethodDefinition<
    _picket_v1_ChallengeRequest,
    _picket_v1_ChallengeResponse,
    _picket_v1_ChallengeRequest__Output,
    _picket_v1_ChallengeResponse__Output
  >
  Issue: MethodDefinition<
    _picket_v1_IssueRequest,
    _picket_v1_IssueResponse,
    _picket_v1_IssueRequest__Output,
    _picket_v1_IssueResponse__Output
  >
  IssueJwt: MethodDefinition<
    _picket_v1_IssueJwtRequest,
    _picket_v1_IssueJwtResponse,
    _picket_v1_IssueJwtRequest__Output,
    _picket_v1_IssueJwtResponse__Output
  >
}
