// Original file: proto/picket/v1/authorities.proto

export interface ActivateAuthorityRequest {
  kind?: string
  force?: boolean
}

export interface ActivateAuthorityRequest__Output {
  kind: string
  force: boolean
}
