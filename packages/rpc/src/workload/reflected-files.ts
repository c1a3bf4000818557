import { SECRET_DISCOVERY, WORKLOAD_API, workloadDefinitions } from './definitions.ts'

/** Descriptions of the services and their messages, as reflection hands them out. */
export interface ReflectedFiles {
  readonly services: readonly string[]
  /** The file, then all that it imports; empty: there is none. */
  byName(name: string): readonly Buffer[]
  bySymbol(symbol: string): readonly Buffer[]
}

/**
 * The loader makes one file of each package and forgets which imports which. The packages, each after those that it may
 * import: with that order the imports are written into the files again. '' = the Workload API, which has no package.
 */
const PACKAGES = [
  'google.protobuf',
  'google.rpc',
  'envoy.type.v3',
  'envoy.config.core.v3',
  'envoy.extensions.transport_sockets.tls.v3',
  'envoy.service.discovery.v3',
  'envoy.service.secret.v3',
  '',
]
const IMPORTS: Readonly<Record<string, readonly string[]>> = { '': ['google.protobuf'] }

interface File {
  readonly name: string
  readonly bytes: Buffer
  readonly imports: readonly File[]
}

export function workloadFiles(): ReflectedFiles {
  const definitions = workloadDefinitions()
  const described = new Map(descriptorsOf(definitions).map((bytes) => [nameAndPackage(bytes).package, bytes]))
  const files = new Map<string, File>()
  for (const [index, own] of PACKAGES.entries()) {
    const bytes = described.get(own)!
    const imports = (IMPORTS[own] ?? PACKAGES.slice(0, index)).map((name) => files.get(name)!)
    const file = { name: nameAndPackage(bytes).name, bytes: withImports(bytes, imports), imports }
    files.set(own, file)
  }
  const answer = (file: File | undefined): Buffer[] => (file ? [file, ...file.imports].map(({ bytes }) => bytes) : [])
  return {
    services: [WORKLOAD_API, SECRET_DISCOVERY],
    byName: (name) => answer([...files.values()].find((file) => file.name === name)),
    bySymbol(symbol) {
      const known = isKnown(symbol) ? symbol : symbol.slice(0, Math.max(0, symbol.lastIndexOf('.')))
      return isKnown(known) ? answer(files.get(known.slice(0, Math.max(0, known.lastIndexOf('.'))))) : []
    },
  }

  function isKnown(symbol: string): boolean {
    return Object.hasOwn(definitions, symbol)
  }
}

function descriptorsOf(definitions: ReturnType<typeof workloadDefinitions>): readonly Buffer[] {
  for (const definition of Object.values(definitions)) {
    const { fileDescriptorProtos } = definition as { fileDescriptorProtos?: unknown }
    if (Array.isArray(fileDescriptorProtos)) return fileDescriptorProtos as Buffer[]
  }
  return []
}

/** Fields 1 and 2 of a FileDescriptorProto, with which it begins; both shorter than 128 bytes. */
function nameAndPackage(bytes: Buffer): { readonly name: string; readonly package: string } {
  const name = bytes.toString('utf8', 2, 2 + bytes[1]!)
  const rest = bytes.subarray(2 + bytes[1]!)
  return { name, package: rest[0] === 0x12 ? rest.toString('utf8', 2, 2 + rest[1]!) : '' }
}

/** Field 3, `dependency`, as often as there are imports: an encoded message may be continued. */
function withImports(bytes: Buffer, imports: readonly File[]): Buffer {
  const fields = imports.map(({ name }) => Buffer.concat([Buffer.from([0x1a, name.length]), Buffer.from(name)]))
  return Buffer.concat([bytes, ...fields])
}
