// Original file: proto/picket/v1/federation.proto

export interface RefreshRelationshipRequest {
  trustDomain?: string
}

export interface RefreshRelationshipRequest__Output {
  trustDomain: string
}
