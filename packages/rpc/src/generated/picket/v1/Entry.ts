// Original file: proto/picket/v1/admin.proto

import type { Long } from '@grpc/proto-loader'

export interface Entry {
  id?: string
  spiffeId?: string
  selectors?: string[]
  ttlSeconds?: number
  dnsNames?: string[]
  service?: string
  createdAtMs?: number | string | Long
  hint?: string
  federatesWith?: string[]
  updatedAtMs?: number | string | Long
}

export interface Entry__Output {
  id: string
  spiffeId: string
  selectors: string[]
  ttlSeconds: number
  dnsNames: string[]
  service: string
  createdAtMs: number
  hint: string
  federatesWith: string[]
  updatedAtMs: number
}
