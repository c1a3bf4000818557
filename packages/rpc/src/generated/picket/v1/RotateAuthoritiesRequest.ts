// Original file: proto/picket/v1/authorities.proto

export interface RotateAuthoritiesRequest {
  kinds?: string[]
  algorithm?: string
  svidAlgorithm?: string
  emergency?: boolean
  keepOld?: boolean
  quorumPercent?: number
  deadlineSeconds?: number
  dryRun?: boolean
}

export interface RotateAuthoritiesRequest__Output {
  kinds: string[]
  algorithm: string
  svidAlgorithm: string
  emergency: boolean
  keepOld: boolean
  quorumPercent: number
  deadlineSeconds: number
  dryRun: boolean
}
