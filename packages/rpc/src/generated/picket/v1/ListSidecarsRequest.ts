// Original file: proto/picket/v1/admin.proto

export interface ListSidecarsRequest {
  pageSize?: number
  pageToken?: string
}

export interface ListSidecarsRequest__Output {
  pageSize: number
  pageToken: string
}
