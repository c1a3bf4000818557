// Original file: proto/picket/v1/revocations.proto

import type { Long } from '@grpc/proto-loader'

export interface Revocation {
  kind?: string
  value?: string
  reason?: string
  createdAtMs?: number | string | Long
  createdBy?: string
  expiresAtMs?: number | string | Long
  acknowledged?: number
  connected?: number
}

export interface Revocation__Output {
  kind: string
  value: string
  reason: string
  createdAtMs: number
  createdBy: string
  expiresAtMs: number
  acknowledged: number
  connected: number
}
