// Original file: proto/picket/v1/authorities.proto

export interface PrepareAuthorityRequest {
  kind?: string
  algorithm?: string
}

export interface PrepareAuthorityRequest__Output {
  kind: string
  algorithm: string
}
