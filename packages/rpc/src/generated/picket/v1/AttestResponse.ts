// Original file: proto/picket/v1/certificates.proto

import type {
  X509Svid as _picket_v1_X509Svid,
  X509Svid__Output as _picket_v1_X509Svid__Output,
} from '../../picket/v1/X509Svid.ts'

export interface AttestResponse {
  svid?: _picket_v1_X509Svid | null
  trustBundle?: string
}

export interface AttestResponse__Output {
  svid: _picket_v1_X509Svid__Output | null
  trustBundle: string
}
