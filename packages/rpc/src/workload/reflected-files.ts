import { SECRET_DISCOVERY, WORKLOAD_API } from './definitions.ts'
import { loadDescriptors, type FileDescriptor, type MessageDescriptor } from './descriptors.ts'

/** Descriptions of the services and their messages, as reflection hands them out. */
export interface ReflectedFiles {
  readonly services: readonly string[]
  /** The file, then all that it imports; empty: there is none. */
  byName(name: string): readonly Buffer[]
  bySymbol(symbol: string): readonly Buffer[]
}

/**
 * The packages, each after those that it may import; '' = the Workload API, which has none. The loader makes one file of
 * each package and forgets the imports, writes names of types as they were in the source, and names the entries of maps in
 * its own way: that is put right here, or no strict reader of descriptions would take them.
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

interface File {
  readonly name: string
  readonly bytes: Buffer
  readonly imports: readonly File[]
}

export function workloadFiles(): ReflectedFiles {
  const { files: described, encode } = loadDescriptors()
  const symbols = new Map(described.flatMap((file) => symbolsOf(file).map((symbol) => [symbol, file.package] as const)))
  const files = new Map<string, File>()
  for (const [index, own] of PACKAGES.entries()) {
    const file = described.find(({ package: name }) => name === own)!
    const imports =
      own === '' ? [files.get('google.protobuf')!] : PACKAGES.slice(0, index).map((name) => files.get(name)!)
    const messageType = file.messageType.map((message) => repair(message, join(own, message.name), symbols))
    const bytes = encode({ ...file, messageType, dependency: imports.map(({ name }) => name) })
    files.set(own, { name: file.name, bytes, imports })
  }
  const answer = (file: File | undefined): Buffer[] => (file ? [file, ...file.imports].map(({ bytes }) => bytes) : [])
  return {
    services: [WORKLOAD_API, SECRET_DISCOVERY],
    byName: (name) => answer([...files.values()].find((file) => file.name === name)),
    bySymbol(symbol) {
      const own = symbols.get(symbol)
      return own === undefined ? [] : answer(files.get(own))
    },
  }
}

/** Messages, those inside them, services and their methods, by full name. */
function symbolsOf({ package: own, messageType, enumType, service }: FileDescriptor): string[] {
  const nested = (message: MessageDescriptor, scope: string): string[] => {
    const name = join(scope, message.name)
    return [name, ...message.nestedType.flatMap((inner) => nested(inner, name))]
  }
  return [
    ...messageType.flatMap((message) => nested(message, own)),
    ...enumType.map(({ name }) => join(own, name)),
    ...service.flatMap(({ name, method }) => [
      join(own, name),
      ...method.map((each) => join(join(own, name), each.name)),
    ]),
  ]
}

function repair(message: MessageDescriptor, name: string, symbols: ReadonlyMap<string, unknown>): MessageDescriptor {
  const entries = new Map(
    message.nestedType
      .filter(({ options }) => options?.mapEntry)
      .map((entry) => [entry.name, entryName(message.field.find(({ typeName }) => typeName === entry.name)!.name)]),
  )
  return {
    ...message,
    field: message.field.map((field) => {
      if (!field.typeName || field.typeName.startsWith('.')) return field
      const entry = entries.get(field.typeName)
      return {
        ...field,
        typeName: `.${entry === undefined ? resolve(field.typeName, name, symbols) : join(name, entry)}`,
      }
    }),
    nestedType: message.nestedType.map((inner) => {
      const innerName = entries.get(inner.name) ?? inner.name
      return { ...repair(inner, join(name, innerName), symbols), name: innerName }
    }),
  }
}

/** A name as the source has it → the full name: looked for from the innermost scope outwards. */
function resolve(typeName: string, scope: string, symbols: ReadonlyMap<string, unknown>): string {
  for (let within = scope; within !== ''; within = within.slice(0, Math.max(0, within.lastIndexOf('.')))) {
    if (symbols.has(join(within, typeName))) return join(within, typeName)
  }
  return typeName
}

/** `federated_bundles` → `FederatedBundlesEntry`, as every compiler names the messages behind a map. */
function entryName(field: string): string {
  return `${field.replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase())}Entry`
}

function join(scope: string, name: string): string {
  return scope === '' ? name : `${scope}.${name}`
}
