// Original file: proto/picket/v1/admin.proto

import type { Entry as _picket_v1_Entry, Entry__Output as _picket_v1_Entry__Output } from '../../picket/v1/Entry.ts'

export interface EntryChange {
  create?: _picket_v1_Entry | null
  update?: _picket_v1_Entry | null
  deleteId?: string
  change?: 'create' | 'update' | 'deleteId'
}

export interface EntryChange__Output {
  create?: _picket_v1_Entry__Output | null
  update?: _picket_v1_Entry__Output | null
  deleteId?: string
  change?: 'create' | 'update' | 'deleteId'
}
