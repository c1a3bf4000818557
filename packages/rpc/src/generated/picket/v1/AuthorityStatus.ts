// Original file: proto/picket/v1/authorities.proto

import type {
  AuthorityRecord as _picket_v1_AuthorityRecord,
  AuthorityRecord__Output as _picket_v1_AuthorityRecord__Output,
} from '../../picket/v1/AuthorityRecord.ts'
import type {
  RotationProgress as _picket_v1_RotationProgress,
  RotationProgress__Output as _picket_v1_RotationProgress__Output,
} from '../../picket/v1/RotationProgress.ts'
import type {
  AffectedSidecar as _picket_v1_AffectedSidecar,
  AffectedSidecar__Output as _picket_v1_AffectedSidecar__Output,
} from '../../picket/v1/AffectedSidecar.ts'

export interface AuthorityStatus {
  authorities?: _picket_v1_AuthorityRecord[]
  rotation?: _picket_v1_RotationProgress | null
  svidAlgorithm?: string
  bundleSequence?: string
  affected?: _picket_v1_AffectedSidecar[]
}

export interface AuthorityStatus__Output {
  authorities: _picket_v1_AuthorityRecord__Output[]
  rotation: _picket_v1_RotationProgress__Output | null
  svidAlgorithm: string
  bundleSequence: string
  affected: _picket_v1_AffectedSidecar__Output[]
}
