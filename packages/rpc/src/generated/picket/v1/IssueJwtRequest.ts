// Original file: proto/picket/v1/certificates.proto

export interface IssueJwtRequest {
  spiffeId?: string
  audience?: string[]
}

export interface IssueJwtRequest__Output {
  spiffeId: string
  audience: string[]
}
