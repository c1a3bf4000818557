// Original file: proto/picket/v1/authorities.proto

export interface OldAuthorityRequest {
  kind?: string
  keyId?: string
  force?: boolean
}

export interface OldAuthorityRequest__Output {
  kind: string
  keyId: string
  force: boolean
}
