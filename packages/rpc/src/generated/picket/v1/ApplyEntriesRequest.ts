// Original file: proto/picket/v1/admin.proto

import type {
  EntryChange as _picket_v1_EntryChange,
  EntryChange__Output as _picket_v1_EntryChange__Output,
} from '../../picket/v1/EntryChange.ts'
import type { Long } from '@grpc/proto-loader'

export interface ApplyEntriesRequest {
  expectedRevision?: number | string | Long
  changes?: _picket_v1_EntryChange[]
}

export interface ApplyEntriesRequest__Output {
  expectedRevision: number
  changes: _picket_v1_EntryChange__Output[]
}
