// Original file: proto/picket/v1/certificates.proto

export interface ChallengeRequest {}

export interface ChallengeRequest__Output {}
