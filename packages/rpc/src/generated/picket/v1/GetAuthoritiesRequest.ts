// Original file: proto/picket/v1/authorities.proto

export interface GetAuthoritiesRequest {}

export interface GetAuthoritiesRequest__Output {}
