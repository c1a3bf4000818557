// Original file: proto/picket/v1/sync.proto

import type * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/proto-loader'
import type {
  SyncRequest as _picket_v1_SyncRequest,
  SyncRequest__Output as _picket_v1_SyncRequest__Output,
} from '../../picket/v1/SyncRequest.ts'
import type {
  SyncResponse as _picket_v1_SyncResponse,
  SyncResponse__Output as _picket_v1_SyncResponse__Output,
} from '../../picket/v1/SyncResponse.ts'

export interface SyncClient extends grpc.Client {
  Sync(
    metadata: grpc.Metadata,
    options?: grpc.CallOptions,
  ): grpc.ClientDuplexStream<_picket_v1_SyncRequest, _picket_v1_SyncResponse__Output>
  Sync(options?: grpc.CallOptions): grpc.ClientDuplexStream<_picket_v1_SyncRequest, _picket_v1_SyncResponse__Output>
  sync(
    metadata: grpc.Metadata,
    options?: grpc.CallOptions,
  ): grpc.ClientDuplexStream<_picket_v1_SyncRequest, _picket_v1_SyncResponse__Output>
  sync(options?: grpc.CallOptions): grpc.ClientDuplexStream<_picket_v1_SyncRequest, _picket_v1_SyncResponse__Output>
}

export interface SyncHandlers extends grpc.UntypedServiceImplementation {
  Sync: grpc.handleBidiStreamingCall<_picket_v1_SyncRequest__Output, _picket_v1_SyncResponse>
}

export interface SyncDefinition extends grpc.ServiceDefinition {
  Sync: MethodDefinition<
    _picket_v1_SyncRequest,
    _picket_v1_SyncResponse,
    _picket_v1_SyncRequest__Output,
    _picket_v1_SyncResponse__Output
  >
}
