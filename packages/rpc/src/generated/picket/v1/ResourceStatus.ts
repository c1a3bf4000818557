// Original file: proto/picket/v1/admin.proto

export interface ResourceStatus {
  kind?: string
  sentRevision?: string
  ackedRevision?: string
  nackCode?: string
  nackMessage?: string
}

export interface ResourceStatus__Output {
  kind: string
  sentRevision: string
  ackedRevision: string
  nackCode: string
  nackMessage: string
}
