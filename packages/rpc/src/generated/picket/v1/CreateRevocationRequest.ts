// Original file: proto/picket/v1/revocations.proto

import type { Long } from '@grpc/proto-loader'

export interface CreateRevocationRequest {
  kind?: string
  value?: string
  reason?: string
  expiresAtMs?: number | string | Long
}

export interface CreateRevocationRequest__Output {
  kind: string
  value: string
  reason: string
  expiresAtMs: number
}
