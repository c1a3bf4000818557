// Original file: proto/picket/v1/admin.proto

export interface ExplainIdentityRequest {
  spiffeId?: string
  facts?: string[]
}

export interface ExplainIdentityRequest__Output {
  spiffeId: string
  facts: string[]
}
