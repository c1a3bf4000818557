// Original file: proto/picket/v1/admin.proto

import type {
  SidecarStatus as _picket_v1_SidecarStatus,
  SidecarStatus__Output as _picket_v1_SidecarStatus__Output,
} from '../../picket/v1/SidecarStatus.ts'

export interface ListSidecarsResponse {
  sidecars?: _picket_v1_SidecarStatus[]
  nextPageToken?: string
}

export interface ListSidecarsResponse__Output {
  sidecars: _picket_v1_SidecarStatus__Output[]
  nextPageToken: string
}
