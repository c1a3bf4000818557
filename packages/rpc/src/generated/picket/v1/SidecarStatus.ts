// Original file: proto/picket/v1/admin.proto

import type {
  ResourceStatus as _picket_v1_ResourceStatus,
  ResourceStatus__Output as _picket_v1_ResourceStatus__Output,
} from '../../picket/v1/ResourceStatus.ts'
import type { Long } from '@grpc/proto-loader'

export interface SidecarStatus {
  spiffeId?: string
  service?: string
  instanceId?: string
  advertise?: string
  version?: string
  connected?: boolean
  connectedAtMs?: number | string | Long
  svidSerial?: string
  svidNotAfterMs?: number | string | Long
  ready?: boolean
  notReadyReasons?: string[]
  resources?: _picket_v1_ResourceStatus[]
  requestsAllowed?: number | string | Long
  requestsDenied?: number | string | Long
  svidRotations?: number | string | Long
  keyExchangeGroup?: string
  authorityKeyIds?: string[]
  svidKeyAlgorithm?: string
}

export interface SidecarStatus__Output {
  spiffeId: string
  service: string
  instanceId: string
  advertise: string
  version: string
  connected: boolean
  connectedAtMs: number
  svidSerial: string
  svidNotAfterMs: number
  ready: boolean
  notReadyReasons: string[]
  resources: _picket_v1_ResourceStatus__Output[]
  requestsAllowed: number
  requestsDenied: number
  svidRotations: number
  keyExchangeGroup: string
  authorityKeyIds: string[]
  svidKeyAlgorithm: string
}
