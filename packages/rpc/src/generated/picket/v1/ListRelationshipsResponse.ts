// Original file: proto/picket/v1/federation.proto

import type {
  Relationship as _picket_v1_Relationship,
  Relationship__Output as _picket_v1_Relationship__Output,
} from '../../picket/v1/Relationship.ts'

export interface ListRelationshipsResponse {
  relationships?: _picket_v1_Relationship[]
}

export interface ListRelationshipsResponse__Output {
  relationships: _picket_v1_Relationship__Output[]
}
