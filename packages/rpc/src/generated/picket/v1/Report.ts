// Original file: proto/picket/v1/sync.proto

import type { Long } from '@grpc/proto-loader'

export interface Report {
  svidSerial?: string
  svidNotAfterMs?: number | string | Long
  keyExchangeGroup?: string
  ready?: boolean
  notReadyReasons?: string[]
  requestsAllowed?: number | string | Long
  requestsDenied?: number | string | Long
  svidRotations?: number | string | Long
  authorityKeyIds?: string[]
  svidKeyAlgorithm?: string
}

export interface Report__Output {
  svidSerial: string
  svidNotAfterMs: number
  keyExchangeGroup: string
  ready: boolean
  notReadyReasons: string[]
  requestsAllowed: number
  requestsDenied: number
  svidRotations: number
  authorityKeyIds: string[]
  svidKeyAlgorithm: string
}
