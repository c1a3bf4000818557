// Original file: proto/picket/v1/admin.proto

import type {
  SidecarStatus as _picket_v1_SidecarStatus,
  SidecarStatus__Output as _picket_v1_SidecarStatus__Output,
} from '../../picket/v1/SidecarStatus.ts'
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
  sidecars?: _picket_v1_SidecarStatus[]
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
  sidecars: _picket_v1_SidecarStatus__Output[]
}
