// Original file: proto/picket/v1/admin.proto

export interface RotateSvidsRequest {
  spiffeId?: string
}

export interface RotateSvidsRequest__Output {
  spiffeId: string
}
