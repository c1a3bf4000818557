import { loadSync, type MethodDefinition, type PackageDefinition } from '@grpc/proto-loader'
import { PROTO_FOLDER } from '../proto-files.ts'
import type { SecretDiscoveryServiceDefinition } from './generated/envoy/service/secret/v3/SecretDiscoveryService.ts'
import type { SpiffeWorkloadAPIDefinition } from './generated/SpiffeWorkloadAPI.ts'
import { REFLECTION_PROTO_FILES, WORKLOAD_PROTO_FILES } from './proto-files.ts'

/** The named members only: the generated definitions also carry an index signature. */
type Named<T> = { [K in keyof T as string extends K ? never : number extends K ? never : K]: T[K] }

export const WORKLOAD_API = 'SpiffeWorkloadAPI'
export const SECRET_DISCOVERY = 'envoy.service.secret.v3.SecretDiscoveryService'

interface Services {
  readonly [WORKLOAD_API]: Named<SpiffeWorkloadAPIDefinition>
  readonly [SECRET_DISCOVERY]: Named<SecretDiscoveryServiceDefinition>
}

/** Every method of a service: a table over this type cannot forget one. */
export type WorkloadMethod = keyof Services[typeof WORKLOAD_API]
export type SecretMethod = keyof Services[typeof SECRET_DISCOVERY]

/** The generated message types of a definition: as we hand them to protobuf, and as it hands them to us. */
export type RequestRead<D> =
  D extends MethodDefinition<infer _Sent, infer _Answer, infer Read extends object, infer _Last> ? Read : never
export type ResponseSent<D> =
  D extends MethodDefinition<infer _Sent, infer Answer extends object, infer _Read, infer _Last> ? Answer : never

export type WorkloadDefinition<M extends WorkloadMethod> = Services[typeof WORKLOAD_API][M]
export type SecretDefinition<M extends SecretMethod> = Services[typeof SECRET_DISCOVERY][M]

/** Path and codecs of one method, the message types erased. */
export type Definition = MethodDefinition<object, object>

const OPTIONS = {
  keepCase: false,
  longs: Number,
  enums: String,
  defaults: true,
  oneofs: true,
  includeDirs: [PROTO_FOLDER],
}

let workloads: PackageDefinition | undefined
let reflection: PackageDefinition | undefined

/** All of `proto/` that workloads see, read once, when first needed. */
export function workloadDefinitions(): PackageDefinition {
  workloads ??= loadSync([...WORKLOAD_PROTO_FILES], OPTIONS)
  return workloads
}

/** Of a version of the reflection service its one method. */
export function reflectionDefinition(version: 'v1' | 'v1alpha'): Definition {
  reflection ??= loadSync([...REFLECTION_PROTO_FILES], OPTIONS)
  const service = reflection[`grpc.reflection.${version}.ServerReflection`] as unknown as Readonly<
    Record<string, Definition>
  >
  return service['ServerReflectionInfo']!
}

export function serviceDefinitions(service: keyof Services): Readonly<Record<string, Definition>> {
  return workloadDefinitions()[service] as unknown as Readonly<Record<string, Definition>>
}

/** The encoder of a message type, for messages that travel inside another. */
export function encoderOf<Message extends object>(type: string): (message: Message) => Buffer {
  const { serialize } = workloadDefinitions()[type] as unknown as { readonly serialize: (message: Message) => Buffer }
  return serialize
}
