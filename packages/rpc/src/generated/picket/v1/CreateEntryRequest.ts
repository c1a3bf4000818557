// Original file: proto/picket/v1/admin.proto

import type { Entry as _picket_v1_Entry, Entry__Output as _picket_v1_Entry__Output } from '../../picket/v1/Entry.ts'

export interface CreateEntryRequest {
  entry?: _picket_v1_Entry | null
}

export interface CreateEntryRequest__Output {
  entry: _picket_v1_Entry__Output | null
}
