// Original file: proto/picket/v1/federation.proto

export interface SetRelationshipRequest {
  trustDomain?: string
  url?: string
  profile?: string
  endpointSpiffeId?: string
  bundle?: string
}

export interface SetRelationshipRequest__Output {
  trustDomain: string
  url: string
  profile: string
  endpointSpiffeId: string
  bundle: string
}
