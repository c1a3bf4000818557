// Original file: proto/picket/v1/sync.proto

export interface RotateSvid {}

export interface RotateSvid__Output {}
