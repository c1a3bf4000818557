// Original file: proto/picket/v1/admin.proto

import type {
  NearMiss as _picket_v1_NearMiss,
  NearMiss__Output as _picket_v1_NearMiss__Output,
} from '../../picket/v1/NearMiss.ts'
import type { Long } from '@grpc/proto-loader'

export interface Denial {
  atMs?: number | string | Long
  spiffeId?: string
  remote?: string
  evidence?: string
  reason?: string
  message?: string
  facts?: string[]
  near?: _picket_v1_NearMiss[]
}

export interface Denial__Output {
  atMs: number
  spiffeId: string
  remote: string
  evidence: string
  reason: string
  message: string
  facts: string[]
  near: _picket_v1_NearMiss__Output[]
}
