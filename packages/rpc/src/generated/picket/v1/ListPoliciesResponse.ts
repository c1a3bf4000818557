// Original file: proto/picket/v1/admin.proto

import type {
  PolicyRevision as _picket_v1_PolicyRevision,
  PolicyRevision__Output as _picket_v1_PolicyRevision__Output,
} from '../../picket/v1/PolicyRevision.ts'

export interface ListPoliciesResponse {
  policies?: _picket_v1_PolicyRevision[]
}

export interface ListPoliciesResponse__Output {
  policies: _picket_v1_PolicyRevision__Output[]
}
