// Original file: proto/picket/v1/federation.proto

export interface DeleteRelationshipRequest {
  trustDomain?: string
}

export interface DeleteRelationshipRequest__Output {
  trustDomain: string
}
