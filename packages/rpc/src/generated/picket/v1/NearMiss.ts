// Original file: proto/picket/v1/admin.proto

export interface NearMiss {
  entryId?: string
  spiffeId?: string
  matched?: string[]
  missing?: string[]
  problem?: string
}

export interface NearMiss__Output {
  entryId: string
  spiffeId: string
  matched: string[]
  missing: string[]
  problem: string
}
