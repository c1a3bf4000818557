// Original file: proto/picket/v1/admin.proto

import type { Long } from '@grpc/proto-loader'

export interface CreateTokenResponse {
  token?: string
  expiresAtMs?: number | string | Long
}

export interface CreateTokenResponse__Output {
  token: string
  expiresAtMs: number
}
