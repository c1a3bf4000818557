// Original file: proto/picket/v1/revocations.proto

export interface DeleteRevocationRequest {
  kind?: string
  value?: string
}

export interface DeleteRevocationRequest__Output {
  kind: string
  value: string
}
