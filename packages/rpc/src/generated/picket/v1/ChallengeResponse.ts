// Original file: proto/picket/v1/certificates.proto

import type { Long } from '@grpc/proto-loader'

export interface ChallengeResponse {
  challenge?: Buffer | Uint8Array | string
  expiresAtMs?: number | string | Long
}

export interface ChallengeResponse__Output {
  challenge: Buffer
  expiresAtMs: number
}
