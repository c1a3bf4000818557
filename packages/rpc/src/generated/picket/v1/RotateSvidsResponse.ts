// Original file: proto/picket/v1/admin.proto

export interface RotateSvidsResponse {
  notified?: string[]
}

export interface RotateSvidsResponse__Output {
  notified: string[]
}
