// Original file: proto/envoy/service/discovery/v3/discovery.proto

import type {
  Any as _google_protobuf_Any,
  Any__Output as _google_protobuf_Any__Output,
} from '../../../../google/protobuf/Any.ts'

export interface Resource {
  version?: string
  resource?: _google_protobuf_Any | null
  name?: string
}

export interface Resource__Output {
  version: string
  resource: _google_protobuf_Any__Output | null
  name: string
}
