// Original file: proto/picket/v1/admin.proto

export interface DeleteEntryRequest {
  id?: string
}

export interface DeleteEntryRequest__Output {
  id: string
}
