// Original file: proto/picket/v1/sync.proto

import type {
  ResourceKind as _picket_v1_ResourceKind,
  ResourceKind__Output as _picket_v1_ResourceKind__Output,
} from '../../picket/v1/ResourceKind.ts'
import type { Long } from '@grpc/proto-loader'

export interface ResourceChunk {
  kind?: _picket_v1_ResourceKind
  revision?: string
  index?: number
  count?: number
  totalBytes?: number | string | Long
  sha256?: Buffer | Uint8Array | string
  content?: Buffer | Uint8Array | string
  baseRevision?: string
}

export interface ResourceChunk__Output {
  kind: _picket_v1_ResourceKind__Output
  revision: string
  index: number
  count: number
  totalBytes: number
  sha256: Buffer
  content: Buffer
  baseRevision: string
}
