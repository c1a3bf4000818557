import { loadSync, type MethodDefinition } from '@grpc/proto-loader'
import type { AdminDefinition } from './generated/picket/v1/Admin.ts'
import type { AuthoritiesDefinition } from './generated/picket/v1/Authorities.ts'
import type { CertificatesDefinition } from './generated/picket/v1/Certificates.ts'
import type { FederationDefinition } from './generated/picket/v1/Federation.ts'
import type { RevocationsDefinition } from './generated/picket/v1/Revocations.ts'
import type { SyncDefinition } from './generated/picket/v1/Sync.ts'
import { PROTO_FILES, PROTO_FOLDER } from './proto-files.ts'

/** The named members only: the generated definitions also carry an index signature. */
type Named<T> = { [K in keyof T as string extends K ? never : number extends K ? never : K]: T[K] }

type ByPath<Service extends string, Definition> = {
  [Name in keyof Named<Definition> & string as `${Service}/${Name}`]: Named<Definition>[Name]
}

type Contract = ByPath<'Certificates', CertificatesDefinition> &
  ByPath<'Sync', SyncDefinition> &
  ByPath<'Admin', AdminDefinition> &
  ByPath<'Authorities', AuthoritiesDefinition> &
  ByPath<'Revocations', RevocationsDefinition> &
  ByPath<'Federation', FederationDefinition>

/** Every method there is, as `Service/Method`: a table over this type cannot forget one. */
export type Method = keyof Contract

/** The generated message types of a method: as handed to protobuf, and as it hands them back. */
export type Wire<M extends Method> =
  Contract[M] extends MethodDefinition<
    infer RequestSent extends object,
    infer ResponseSent,
    infer RequestRead,
    infer ResponseRead
  >
    ? { requestSent: RequestSent; requestRead: RequestRead; responseSent: ResponseSent; responseRead: ResponseRead }
    : never

/** Path and codecs of one method, the message types erased. */
export type Definition = MethodDefinition<object, object>

const LOAD_OPTIONS = { keepCase: false, longs: Number, enums: String, defaults: true, oneofs: true }

const SERVICES = ['Certificates', 'Sync', 'Admin', 'Authorities', 'Revocations', 'Federation'] as const

let loaded: ReadonlyMap<string, Definition> | undefined

/** The definition from `proto/`, which is read once, when first needed. */
export function methodDefinition(method: Method): Definition {
  loaded ??= loadDefinitions()
  return loaded.get(method)!
}

function loadDefinitions(): ReadonlyMap<string, Definition> {
  const services = loadSync([...PROTO_FILES], { ...LOAD_OPTIONS, includeDirs: [PROTO_FOLDER] })
  const definitions = new Map<string, Definition>()
  for (const service of SERVICES) {
    const methods = services[`picket.v1.${service}`] as Readonly<Record<string, Definition>>
    for (const [name, definition] of Object.entries(methods)) definitions.set(`${service}/${name}`, definition)
  }
  return definitions
}
