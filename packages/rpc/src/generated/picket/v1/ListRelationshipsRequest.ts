// Original file: proto/picket/v1/federation.proto

export interface ListRelationshipsRequest {}

export interface ListRelationshipsRequest__Output {}
