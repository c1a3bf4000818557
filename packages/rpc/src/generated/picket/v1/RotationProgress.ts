// Original file: proto/picket/v1/authorities.proto

import type {
  Laggard as _picket_v1_Laggard,
  Laggard__Output as _picket_v1_Laggard__Output,
} from '../../picket/v1/Laggard.ts'
import type { Long } from '@grpc/proto-loader'

export interface RotationProgress {
  id?: string
  reason?: string
  phase?: string
  startedAtMs?: number | string | Long
  phaseDeadlineAtMs?: number | string | Long
  connected?: number
  followed?: number
  laggards?: _picket_v1_Laggard[]
  quorumPercent?: number
}

export interface RotationProgress__Output {
  id: string
  reason: string
  phase: string
  startedAtMs: number
  phaseDeadlineAtMs: number
  connected: number
  followed: number
  laggards: _picket_v1_Laggard__Output[]
  quorumPercent: number
}
