// Original file: proto/picket/v1/sync.proto

import type { Hello as _picket_v1_Hello, Hello__Output as _picket_v1_Hello__Output } from '../../picket/v1/Hello.ts'
import type {
  ResourceRevision as _picket_v1_ResourceRevision,
  ResourceRevision__Output as _picket_v1_ResourceRevision__Output,
} from '../../picket/v1/ResourceRevision.ts'
import type { Nack as _picket_v1_Nack, Nack__Output as _picket_v1_Nack__Output } from '../../picket/v1/Nack.ts'
import type {
  Report as _picket_v1_Report,
  Report__Output as _picket_v1_Report__Output,
} from '../../picket/v1/Report.ts'

export interface SyncRequest {
  hello?: _picket_v1_Hello | null
  ack?: _picket_v1_ResourceRevision | null
  nack?: _picket_v1_Nack | null
  report?: _picket_v1_Report | null
  message?: 'hello' | 'ack' | 'nack' | 'report'
}

export interface SyncRequest__Output {
  hello?: _picket_v1_Hello__Output | null
  ack?: _picket_v1_ResourceRevision__Output | null
  nack?: _picket_v1_Nack__Output | null
  report?: _picket_v1_Report__Output | null
  message?: 'hello' | 'ack' | 'nack' | 'report'
}
