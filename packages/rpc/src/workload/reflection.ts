import { status, type handleBidiStreamingCall, type Server } from '@grpc/grpc-js'
import { createTokenBucket } from '../limits.ts'
import { wellFormed, withoutThrowing, type Read } from '../malformed.ts'
import { RpcError } from '../rpc-error.ts'
import { reflectionDefinition } from './definitions.ts'
import { refuseWorkload, type WorkloadEdge } from './edge.ts'
import type { ServerReflectionRequest__Output } from './generated/grpc/reflection/v1/ServerReflectionRequest.ts'
import type { ServerReflectionResponse } from './generated/grpc/reflection/v1/ServerReflectionResponse.ts'
import { WORKLOAD_LIMITS } from './limits.ts'
import { workloadFiles, type ReflectedFiles } from './reflected-files.ts'

/** gRPC server reflection for the two services (rule 56), so that tools can call them without our files. */
export function addReflection<Caller>(server: Server, edge: WorkloadEdge<Caller>): void {
  const files = workloadFiles()
  for (const version of ['v1', 'v1alpha'] as const) {
    const { path, requestDeserialize, responseSerialize } = reflectionDefinition(version)
    server.register(path, answer(edge, files), responseSerialize, withoutThrowing(requestDeserialize), 'bidi')
  }
}

function answer<Caller>(
  edge: WorkloadEdge<Caller>,
  files: ReflectedFiles,
): handleBidiStreamingCall<Read<ServerReflectionRequest__Output>, ServerReflectionResponse> {
  return (call) => {
    const rate = createTokenBucket(WORKLOAD_LIMITS.streamMessages, edge.clock)
    let open = true
    call.on('data', (request: Read<ServerReflectionRequest__Output>) => {
      if (!open) return
      try {
        if (!rate.take()) throw new RpcError('ERR_RPC_UNAVAILABLE', 'too many messages')
        call.write(reflect(files, wellFormed(request)))
      } catch (thrown) {
        open = false
        call.emit('error', refuseWorkload(edge, 'ServerReflectionInfo', call, thrown))
      }
    })
    call.once('end', () => {
      if (open) call.end()
    })
  }
}

function reflect(files: ReflectedFiles, request: ServerReflectionRequest__Output): ServerReflectionResponse {
  const echo = { validHost: request.host, originalRequest: request }
  switch (request.messageRequest) {
    case 'listServices':
      return { ...echo, listServicesResponse: { service: files.services.map((name) => ({ name })) } }
    case 'fileByFilename':
      return { ...echo, ...toFiles(files.byName(request.fileByFilename ?? '')) }
    case 'fileContainingSymbol':
      return { ...echo, ...toFiles(files.bySymbol(request.fileContainingSymbol ?? '')) }
    case 'fileContainingExtension':
    case 'allExtensionNumbersOfType':
    case undefined:
    default:
      return { ...echo, errorResponse: { errorCode: status.UNIMPLEMENTED, errorMessage: 'there are no extensions' } }
  }
}

function toFiles(found: readonly Buffer[]): ServerReflectionResponse {
  if (found.length > 0) return { fileDescriptorResponse: { fileDescriptorProto: [...found] } }
  return { errorResponse: { errorCode: status.NOT_FOUND, errorMessage: 'there is no such file or symbol' } }
}
