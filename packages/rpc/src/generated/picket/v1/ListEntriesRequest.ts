// Original file: proto/picket/v1/admin.proto

export interface ListEntriesRequest {
  pageSize?: number
  pageToken?: string
}

export interface ListEntriesRequest__Output {
  pageSize: number
  pageToken: string
}
