// Original file: proto/picket/v1/sync.proto

import type {
  ResourceKind as _picket_v1_ResourceKind,
  ResourceKind__Output as _picket_v1_ResourceKind__Output,
} from '../../picket/v1/ResourceKind.ts'

export interface Nack {
  kind?: _picket_v1_ResourceKind
  revision?: string
  code?: string
  message?: string
}

export interface Nack__Output {
  kind: _picket_v1_ResourceKind__Output
  revision: string
  code: string
  message: string
}
