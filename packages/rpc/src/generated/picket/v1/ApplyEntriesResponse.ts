// Original file: proto/picket/v1/admin.proto

import type { Long } from '@grpc/proto-loader'

export interface ApplyEntriesResponse {
  created?: number
  updated?: number
  deleted?: number
  revision?: number | string | Long
}

export interface ApplyEntriesResponse__Output {
  created: number
  updated: number
  deleted: number
  revision: number
}
