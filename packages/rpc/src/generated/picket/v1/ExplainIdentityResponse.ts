// Original file: proto/picket/v1/admin.proto

import type {
  NearMiss as _picket_v1_NearMiss,
  NearMiss__Output as _picket_v1_NearMiss__Output,
} from '../../picket/v1/NearMiss.ts'
import type {
  Denial as _picket_v1_Denial,
  Denial__Output as _picket_v1_Denial__Output,
} from '../../picket/v1/Denial.ts'

export interface ExplainIdentityResponse {
  entitled?: string[]
  near?: _picket_v1_NearMiss[]
  denials?: _picket_v1_Denial[]
}

export interface ExplainIdentityResponse__Output {
  entitled: string[]
  near: _picket_v1_NearMiss__Output[]
  denials: _picket_v1_Denial__Output[]
}
