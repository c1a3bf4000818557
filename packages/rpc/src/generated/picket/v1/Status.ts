// Original file: proto/picket/v1/admin.proto

import type { Long } from '@grpc/proto-loader'

export interface Status {
  trustDomain?: string
  version?: string
  startedAtMs?: number | string | Long
  authorityKeyId?: string
  authorityNotAfterMs?: number | string | Long
  policyRevision?: string
  entries?: number
  issuedSvids?: number | string | Long
  sidecarsConnected?: number
  svidAlgorithm?: string
  revocations?: number
}

export interface Status__Output {
  trustDomain: string
  version: string
  startedAtMs: number
  authorityKeyId: string
  authorityNotAfterMs: number
  policyRevision: string
  entries: number
  issuedSvids: number
  sidecarsConnected: number
  svidAlgorithm: string
  revocations: number
}
