// Original file: proto/picket/v1/certificates.proto

import type {
  SignedChallenge as _picket_v1_SignedChallenge,
  SignedChallenge__Output as _picket_v1_SignedChallenge__Output,
} from '../../picket/v1/SignedChallenge.ts'

export interface AttestRequest {
  joinToken?: string
  csr?: Buffer | Uint8Array | string
  x509Pop?: _picket_v1_SignedChallenge | null
  kubernetesToken?: string
  expiredSvid?: _picket_v1_SignedChallenge | null
}

export interface AttestRequest__Output {
  joinToken: string
  csr: Buffer
  x509Pop: _picket_v1_SignedChallenge__Output | null
  kubernetesToken: string
  expiredSvid: _picket_v1_SignedChallenge__Output | null
}
