// Original file: proto/picket/v1/sync.proto

import type {
  ResourceChunk as _picket_v1_ResourceChunk,
  ResourceChunk__Output as _picket_v1_ResourceChunk__Output,
} from '../../picket/v1/ResourceChunk.ts'
import type {
  RotateSvid as _picket_v1_RotateSvid,
  RotateSvid__Output as _picket_v1_RotateSvid__Output,
} from '../../picket/v1/RotateSvid.ts'

export interface SyncResponse {
  chunk?: _picket_v1_ResourceChunk | null
  rotateSvid?: _picket_v1_RotateSvid | null
  message?: 'chunk' | 'rotateSvid'
}

export interface SyncResponse__Output {
  chunk?: _picket_v1_ResourceChunk__Output | null
  rotateSvid?: _picket_v1_RotateSvid__Output | null
  message?: 'chunk' | 'rotateSvid'
}
