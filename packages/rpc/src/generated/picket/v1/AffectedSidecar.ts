// Original file: proto/picket/v1/authorities.proto

export interface AffectedSidecar {
  spiffeId?: string
  instanceId?: string
  service?: string
  connected?: boolean
  authorityKeyIds?: string[]
}

export interface AffectedSidecar__Output {
  spiffeId: string
  instanceId: string
  service: string
  connected: boolean
  authorityKeyIds: string[]
}
