// Original file: proto/picket/v1/admin.proto

export interface CreateTokenRequest {
  selectors?: string[]
  ttlSeconds?: number
}

export interface CreateTokenRequest__Output {
  selectors: string[]
  ttlSeconds: number
}
