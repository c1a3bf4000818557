// Original file: proto/picket/v1/admin.proto

import type { Long } from '@grpc/proto-loader'

export interface PolicyRevision {
  revision?: string
  digest?: string
  bytes?: number | string | Long
  pushedAtMs?: number | string | Long
  pushedBy?: string
  active?: boolean
}

export interface PolicyRevision__Output {
  revision: string
  digest: string
  bytes: number
  pushedAtMs: number
  pushedBy: string
  active: boolean
}
