// Original file: proto/picket/v1/revocations.proto

export interface ListRevocationsRequest {
  pageSize?: number
  pageToken?: string
}

export interface ListRevocationsRequest__Output {
  pageSize: number
  pageToken: string
}
