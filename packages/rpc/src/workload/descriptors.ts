import { loadSync, type PackageDefinition } from '@grpc/proto-loader'
import { PROTO_FOLDER } from '../proto-files.ts'
import { WORKLOAD_PROTO_FILES } from './proto-files.ts'

/** `google.protobuf.FileDescriptorProto` and below, as far as it is looked into here. */
export interface FileDescriptor {
  readonly name: string
  /** '' = none. */
  readonly package: string
  readonly dependency?: readonly string[]
  readonly messageType: readonly MessageDescriptor[]
  readonly enumType: readonly { readonly name: string }[]
  readonly service: readonly { readonly name: string; readonly method: readonly { readonly name: string }[] }[]
}

export interface MessageDescriptor {
  readonly name: string
  readonly field: readonly { readonly name: string; readonly typeName?: string }[]
  readonly nestedType: readonly MessageDescriptor[]
  readonly options?: { readonly mapEntry?: boolean } | null
}

interface Codec {
  readonly serialize: (file: FileDescriptor) => Buffer
  readonly deserialize: (bytes: Buffer) => FileDescriptor
}

/** What the loader knows of the workloads' services, names as in the source; and the way back to bytes. */
export function loadDescriptors(): { readonly files: readonly FileDescriptor[]; readonly encode: Codec['serialize'] } {
  const includeDirs = [PROTO_FOLDER]
  const types = loadSync('grpc/reflection/descriptors.proto', { includeDirs, arrays: true, enums: String })
  const { serialize, deserialize } = types['google.protobuf.FileDescriptorProto'] as unknown as Codec
  const loaded = loadSync([...WORKLOAD_PROTO_FILES], { includeDirs, keepCase: true })
  const files = encodedFiles(loaded).map((bytes) => ({ ...deserialize(bytes) }))
  return { files: files.map((file) => ({ ...file, package: file.package ?? '' })), encode: serialize }
}

/** Every message carries all files. */
function encodedFiles(loaded: PackageDefinition): readonly Buffer[] {
  for (const definition of Object.values(loaded)) {
    const { fileDescriptorProtos } = definition as { readonly fileDescriptorProtos?: unknown }
    if (Array.isArray(fileDescriptorProtos)) return fileDescriptorProtos as Buffer[]
  }
  return []
}
