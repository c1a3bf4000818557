import type { Method, Wire } from './contract.ts'
import type {
  AttestRequest,
  AttestResponse,
  CreateTokenRequest,
  CreateTokenResponse,
  Entry,
  EntryDraft,
  IssueRequest,
  IssueResponse,
  ListEntriesRequest,
  ListEntriesResponse,
  PolicyRevision,
  Status,
  SvidMessage,
} from './messages.ts'
import { RpcError } from './rpc-error.ts'
import { isResourceKind } from './resource-kind.ts'

/** One method's messages in both directions: typed domain messages here, generated wire types there. */
export interface Codec<M extends Method, Request, Response> {
  encodeRequest(request: Request): Wire<M>['requestSent']
  decodeRequest(wire: Wire<M>['requestRead']): Request
  encodeResponse(response: Response): Wire<M>['responseSent']
  decodeResponse(wire: Wire<M>['responseRead']): Response
}

/** The methods with one request and one response. `Sync/Sync` and `Admin/PushPolicy` stream. */
export type UnaryMethod = Exclude<Method, 'Sync/Sync' | 'Admin/PushPolicy'>

interface UnaryCodecs {
  'Certificates/Attest': Codec<'Certificates/Attest', AttestRequest, AttestResponse>
  'Certificates/Issue': Codec<'Certificates/Issue', IssueRequest, IssueResponse>
  'Admin/CreateToken': Codec<'Admin/CreateToken', CreateTokenRequest, CreateTokenResponse>
  'Admin/CreateEntry': Codec<'Admin/CreateEntry', EntryDraft, Entry>
  'Admin/ListEntries': Codec<'Admin/ListEntries', ListEntriesRequest, ListEntriesResponse>
  'Admin/DeleteEntry': Codec<'Admin/DeleteEntry', string, Entry>
  'Admin/ListPolicies': Codec<'Admin/ListPolicies', void, readonly PolicyRevision[]>
  'Admin/RotateSvids': Codec<'Admin/RotateSvids', string, readonly string[]>
  'Admin/GetStatus': Codec<'Admin/GetStatus', void, Status>
}

export type RequestOf<M extends UnaryMethod> = UnaryCodecs[M] extends Codec<M, infer Request, infer _> ? Request : never
export type ResponseOf<M extends UnaryMethod> =
  UnaryCodecs[M] extends Codec<M, infer _, infer Response> ? Response : never

export const UNARY: { readonly [M in UnaryMethod]: UnaryCodecs[M] } = {
  'Certificates/Attest': {
    encodeRequest: toWire,
    decodeRequest: same,
    encodeResponse: toWire,
    decodeResponse: ({ svid, trustBundle }) => ({ svid: present(svid, 'svid'), trustBundle }),
  },
  'Certificates/Issue': {
    encodeRequest: toWire,
    decodeRequest: same,
    encodeResponse: toWire,
    decodeResponse: ({ svid }) => ({ svid: present<SvidMessage>(svid, 'svid') }),
  },
  'Admin/CreateToken': {
    encodeRequest: toWire,
    decodeRequest: same,
    encodeResponse: toWire,
    decodeResponse: same,
  },
  'Admin/CreateEntry': {
    encodeRequest: (entry) => ({ entry: toWire(entry) }),
    decodeRequest: ({ entry }) => draftOf(present(entry, 'entry')),
    encodeResponse: toWire,
    decodeResponse: same,
  },
  'Admin/ListEntries': {
    encodeRequest: toWire,
    decodeRequest: same,
    encodeResponse: toWire,
    decodeResponse: same,
  },
  'Admin/DeleteEntry': {
    encodeRequest: (id) => ({ id }),
    decodeRequest: ({ id }) => id,
    encodeResponse: toWire,
    decodeResponse: same,
  },
  'Admin/ListPolicies': {
    encodeRequest: () => ({}),
    decodeRequest: () => undefined,
    encodeResponse: (policies) => ({ policies: toWire(policies) }),
    decodeResponse: ({ policies }) => policies,
  },
  'Admin/RotateSvids': {
    encodeRequest: (spiffeId) => ({ spiffeId }),
    decodeRequest: ({ spiffeId }) => spiffeId,
    encodeResponse: (notified) => ({ notified: toWire(notified) }),
    decodeResponse: ({ notified }) => notified,
  },
  'Admin/GetStatus': {
    encodeRequest: () => ({}),
    decodeRequest: () => undefined,
    encodeResponse: toWire,
    decodeResponse: (status) => ({ ...status, sidecars: status.sidecars.map(sidecarOf) }),
  },
}

function draftOf({ spiffeId, selectors, ttlSeconds, dnsNames, service }: EntryDraft): EntryDraft {
  return { spiffeId, selectors, ttlSeconds, dnsNames, service }
}

/** Kinds of resources that this version does not know are left out of the picture. */
function sidecarOf(sidecar: Wire<'Admin/GetStatus'>['responseRead']['sidecars'][number]): Status['sidecars'][number] {
  const resources = sidecar.resources.flatMap(({ kind, ...rest }) => (isResourceKind(kind) ? [{ kind, ...rest }] : []))
  return { ...sidecar, resources }
}

/** The wire's message is the domain's: the types say so. */
function same<T>(message: T): T {
  return message
}

type Writable<T> = T extends Buffer
  ? T
  : T extends readonly (infer Element)[]
    ? Writable<Element>[]
    : T extends object
      ? { -readonly [Key in keyof T]: Writable<T[Key]> }
      : T

/** Drops `readonly`, which generated types lack. Protobuf only reads what it is given. */
export function toWire<T>(message: T): Writable<T> {
  return message as Writable<T>
}

/** A message field that protobuf cannot require. */
export function present<T>(value: T | null | undefined, name: string): T {
  if (value === null || value === undefined) throw new RpcError('ERR_RPC_INVALID', `"${name}" is missing`)
  return value
}
