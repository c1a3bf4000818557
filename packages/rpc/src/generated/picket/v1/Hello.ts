// Original file: proto/picket/v1/sync.proto

import type {
  ResourceRevision as _picket_v1_ResourceRevision,
  ResourceRevision__Output as _picket_v1_ResourceRevision__Output,
} from '../../picket/v1/ResourceRevision.ts'

export interface Hello {
  instanceId?: string
  version?: string
  advertise?: string
  held?: _picket_v1_ResourceRevision[]
  takesDeltas?: boolean
}

export interface Hello__Output {
  instanceId: string
  version: string
  advertise: string
  held: _picket_v1_ResourceRevision__Output[]
  takesDeltas: boolean
}
