// Original file: proto/picket/v1/federation.proto

import type { Long } from '@grpc/proto-loader'

export interface Relationship {
  trustDomain?: string
  url?: string
  profile?: string
  endpointSpiffeId?: string
  hasBundle?: boolean
  sequence?: string
  refreshHintSeconds?: number
  x509Authorities?: number
  jwtAuthorities?: number
  fetchedAtMs?: number | string | Long
  nextFetchAtMs?: number | string | Long
  failureCode?: string
  failureMessage?: string
}

export interface Relationship__Output {
  trustDomain: string
  url: string
  profile: string
  endpointSpiffeId: string
  hasBundle: boolean
  sequence: string
  refreshHintSeconds: number
  x509Authorities: number
  jwtAuthorities: number
  fetchedAtMs: number
  nextFetchAtMs: number
  failureCode: string
  failureMessage: string
}
