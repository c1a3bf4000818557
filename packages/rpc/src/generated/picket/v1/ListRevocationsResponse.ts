// Original file: proto/picket/v1/revocations.proto

import type {
  Revocation as _picket_v1_Revocation,
  Revocation__Output as _picket_v1_Revocation__Output,
} from '../../picket/v1/Revocation.ts'

export interface ListRevocationsResponse {
  revocations?: _picket_v1_Revocation[]
  nextPageToken?: string
}

export interface ListRevocationsResponse__Output {
  revocations: _picket_v1_Revocation__Output[]
  nextPageToken: string
}
