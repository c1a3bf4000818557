// Original file: proto/picket/v1/admin.proto

import type { Entry as _picket_v1_Entry, Entry__Output as _picket_v1_Entry__Output } from '../../picket/v1/Entry.ts'
import type { Long } from '@grpc/proto-loader'

export interface ListEntriesResponse {
  entries?: _picket_v1_Entry[]
  nextPageToken?: string
  revision?: number | string | Long
}

export interface ListEntriesResponse__Output {
  entries: _picket_v1_Entry__Output[]
  nextPageToken: string
  revision: number
}
