// Original file: proto/picket/v1/certificates.proto

import type { Long } from '@grpc/proto-loader'

export interface IssueJwtResponse {
  spiffeId?: string
  token?: string
  issuedAtMs?: number | string | Long
  expiresAtMs?: number | string | Long
}

export interface IssueJwtResponse__Output {
  spiffeId: string
  token: string
  issuedAtMs: number
  expiresAtMs: number
}
