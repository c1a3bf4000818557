// Original file: proto/picket/v1/authorities.proto

import type { Long } from '@grpc/proto-loader'

export interface AuthorityRecord {
  kind?: string
  keyId?: string
  algorithm?: string
  state?: string
  tainted?: boolean
  notBeforeMs?: number | string | Long
  notAfterMs?: number | string | Long
  preparedAtMs?: number | string | Long
  activatedAtMs?: number | string | Long
  upstream?: boolean
  holders?: number
  acknowledged?: number
}

export interface AuthorityRecord__Output {
  kind: string
  keyId: string
  algorithm: string
  state: string
  tainted: boolean
  notBeforeMs: number
  notAfterMs: number
  preparedAtMs: number
  activatedAtMs: number
  upstream: boolean
  holders: number
  acknowledged: number
}
