// Original file: proto/picket/v1/authorities.proto

export interface Laggard {
  spiffeId?: string
  instanceId?: string
  reason?: string
}

export interface Laggard__Output {
  spiffeId: string
  instanceId: string
  reason: string
}
