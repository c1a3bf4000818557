import type { Method, Wire } from './contract.ts'
import type {
  CreateTokenRequest,
  CreateTokenResponse,
  Entry,
  EntryDraft,
  ExplainIdentityRequest,
  ExplainIdentityResponse,
  ListEntriesResponse,
  ListSidecarsResponse,
  PageRequest,
  PolicyRevision,
  SidecarStatus,
  Status,
} from './admin-messages.ts'
import type {
  ActivateAuthorityRequest,
  AuthorityStatus,
  CreateRevocationRequest,
  DeleteRevocationRequest,
  ListRevocationsResponse,
  OldAuthorityRequest,
  PrepareAuthorityRequest,
  Relationship,
  Revocation,
  RotateAuthoritiesRequest,
  SetRelationshipRequest,
} from './authority-messages.ts'
import type {
  AttestRequest,
  AttestResponse,
  ChallengeResponse,
  IssueJwtRequest,
  IssueJwtResponse,
  IssueRequest,
  IssueResponse,
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

/** The methods that take one message after another. */
export type UploadMethod = 'Admin/PushPolicy' | 'Admin/ApplyEntries'

/** The methods with one request and one response. */
export type UnaryMethod = Exclude<Method, 'Sync/Sync' | UploadMethod>

interface UnaryCodecs {
  'Certificates/Challenge': Codec<'Certificates/Challenge', void, ChallengeResponse>
  'Certificates/Attest': Codec<'Certificates/Attest', AttestRequest, AttestResponse>
  'Certificates/Issue': Codec<'Certificates/Issue', IssueRequest, IssueResponse>
  'Certificates/IssueJwt': Codec<'Certificates/IssueJwt', IssueJwtRequest, IssueJwtResponse>
  'Admin/CreateToken': Codec<'Admin/CreateToken', CreateTokenRequest, CreateTokenResponse>
  'Admin/CreateEntry': Codec<'Admin/CreateEntry', EntryDraft, Entry>
  'Admin/ListEntries': Codec<'Admin/ListEntries', PageRequest, ListEntriesResponse>
  'Admin/DeleteEntry': Codec<'Admin/DeleteEntry', string, Entry>
  'Admin/ExplainIdentity': Codec<'Admin/ExplainIdentity', ExplainIdentityRequest, ExplainIdentityResponse>
  'Admin/ListPolicies': Codec<'Admin/ListPolicies', void, readonly PolicyRevision[]>
  'Admin/RotateSvids': Codec<'Admin/RotateSvids', string, readonly string[]>
  'Admin/GetStatus': Codec<'Admin/GetStatus', void, Status>
  'Admin/ListSidecars': Codec<'Admin/ListSidecars', PageRequest, ListSidecarsResponse>
  'Authorities/GetAuthorities': Codec<'Authorities/GetAuthorities', void, AuthorityStatus>
  'Authorities/PrepareAuthority': Codec<'Authorities/PrepareAuthority', PrepareAuthorityRequest, AuthorityStatus>
  'Authorities/ActivateAuthority': Codec<'Authorities/ActivateAuthority', ActivateAuthorityRequest, AuthorityStatus>
  'Authorities/TaintAuthority': Codec<'Authorities/TaintAuthority', OldAuthorityRequest, AuthorityStatus>
  'Authorities/RevokeAuthority': Codec<'Authorities/RevokeAuthority', OldAuthorityRequest, AuthorityStatus>
  'Authorities/RotateAuthorities': Codec<'Authorities/RotateAuthorities', RotateAuthoritiesRequest, AuthorityStatus>
  'Revocations/CreateRevocation': Codec<'Revocations/CreateRevocation', CreateRevocationRequest, Revocation>
  'Revocations/DeleteRevocation': Codec<'Revocations/DeleteRevocation', DeleteRevocationRequest, Revocation>
  'Revocations/ListRevocations': Codec<'Revocations/ListRevocations', PageRequest, ListRevocationsResponse>
  'Federation/SetRelationship': Codec<'Federation/SetRelationship', SetRelationshipRequest, Relationship>
  'Federation/DeleteRelationship': Codec<'Federation/DeleteRelationship', string, Relationship>
  'Federation/ListRelationships': Codec<'Federation/ListRelationships', void, readonly Relationship[]>
  'Federation/RefreshRelationship': Codec<'Federation/RefreshRelationship', string, Relationship>
}

export type RequestOf<M extends UnaryMethod> = UnaryCodecs[M] extends Codec<M, infer Request, infer _> ? Request : never
export type ResponseOf<M extends UnaryMethod> =
  UnaryCodecs[M] extends Codec<M, infer _, infer Response> ? Response : never

const NOTHING_ASKED = { encodeRequest: () => ({}), decodeRequest: () => undefined }

const BY_TRUST_DOMAIN = {
  encodeRequest: (trustDomain: string) => ({ trustDomain }),
  decodeRequest: ({ trustDomain }: { trustDomain: string }) => trustDomain,
}

const AUTHORITY_STATUS = {
  encodeResponse: ({ rotation, ...rest }: AuthorityStatus) => toWire({ ...rest, rotation: rotation ?? null }),
  decodeResponse: ({ rotation, ...rest }: Wire<'Authorities/GetAuthorities'>['responseRead']): AuthorityStatus => ({
    ...rest,
    rotation: rotation ?? undefined,
  }),
}

/** The wire's messages are the domain's, both ways. */
const AS_IT_IS = { encodeRequest: toWire, decodeRequest: same, encodeResponse: toWire, decodeResponse: same }

export const UNARY: { readonly [M in UnaryMethod]: UnaryCodecs[M] } = {
  'Certificates/Challenge': { ...NOTHING_ASKED, encodeResponse: toWire, decodeResponse: same },
  'Certificates/Attest': {
    encodeRequest: ({ x509Pop, expiredSvid, ...rest }) =>
      toWire({ ...rest, x509Pop: x509Pop ?? null, expiredSvid: expiredSvid ?? null }),
    decodeRequest: ({ x509Pop, expiredSvid, ...rest }) => ({
      ...rest,
      x509Pop: x509Pop ?? undefined,
      expiredSvid: expiredSvid ?? undefined,
    }),
    encodeResponse: toWire,
    decodeResponse: ({ svid, trustBundle }) => ({ svid: present(svid, 'svid'), trustBundle }),
  },
  'Certificates/Issue': {
    encodeRequest: toWire,
    decodeRequest: same,
    encodeResponse: toWire,
    decodeResponse: ({ svid }) => ({ svid: present<SvidMessage>(svid, 'svid') }),
  },
  'Certificates/IssueJwt': AS_IT_IS,
  'Admin/CreateToken': AS_IT_IS,
  'Admin/CreateEntry': {
    encodeRequest: (entry) => ({ entry: toWire(entry) }),
    decodeRequest: ({ entry }) => draftOf(present(entry, 'entry')),
    encodeResponse: toWire,
    decodeResponse: same,
  },
  'Admin/ListEntries': AS_IT_IS,
  'Admin/DeleteEntry': {
    encodeRequest: (id) => ({ id }),
    decodeRequest: ({ id }) => id,
    encodeResponse: toWire,
    decodeResponse: same,
  },
  'Admin/ExplainIdentity': AS_IT_IS,
  'Admin/ListPolicies': {
    ...NOTHING_ASKED,
    encodeResponse: (policies) => ({ policies: toWire(policies) }),
    decodeResponse: ({ policies }) => policies,
  },
  'Admin/RotateSvids': {
    encodeRequest: (spiffeId) => ({ spiffeId }),
    decodeRequest: ({ spiffeId }) => spiffeId,
    encodeResponse: (notified) => ({ notified: toWire(notified) }),
    decodeResponse: ({ notified }) => notified,
  },
  'Admin/GetStatus': { ...NOTHING_ASKED, encodeResponse: toWire, decodeResponse: same },
  'Admin/ListSidecars': {
    encodeRequest: toWire,
    decodeRequest: same,
    encodeResponse: toWire,
    decodeResponse: ({ sidecars, nextPageToken }) => ({ sidecars: sidecars.map(sidecarOf), nextPageToken }),
  },
  'Authorities/GetAuthorities': { ...NOTHING_ASKED, ...AUTHORITY_STATUS },
  'Authorities/PrepareAuthority': { encodeRequest: toWire, decodeRequest: same, ...AUTHORITY_STATUS },
  'Authorities/ActivateAuthority': { encodeRequest: toWire, decodeRequest: same, ...AUTHORITY_STATUS },
  'Authorities/TaintAuthority': { encodeRequest: toWire, decodeRequest: same, ...AUTHORITY_STATUS },
  'Authorities/RevokeAuthority': { encodeRequest: toWire, decodeRequest: same, ...AUTHORITY_STATUS },
  'Authorities/RotateAuthorities': { encodeRequest: toWire, decodeRequest: same, ...AUTHORITY_STATUS },
  'Revocations/CreateRevocation': AS_IT_IS,
  'Revocations/DeleteRevocation': AS_IT_IS,
  'Revocations/ListRevocations': AS_IT_IS,
  'Federation/SetRelationship': AS_IT_IS,
  'Federation/DeleteRelationship': { ...BY_TRUST_DOMAIN, encodeResponse: toWire, decodeResponse: same },
  'Federation/ListRelationships': {
    ...NOTHING_ASKED,
    encodeResponse: (relationships) => ({ relationships: toWire(relationships) }),
    decodeResponse: ({ relationships }) => relationships,
  },
  'Federation/RefreshRelationship': { ...BY_TRUST_DOMAIN, encodeResponse: toWire, decodeResponse: same },
}

export function draftOf({
  spiffeId,
  selectors,
  ttlSeconds,
  dnsNames,
  service,
  hint,
  federatesWith,
}: EntryDraft): EntryDraft {
  return { spiffeId, selectors, ttlSeconds, dnsNames, service, hint, federatesWith }
}

/** Kinds of resources that this version does not know are left out of the picture. */
function sidecarOf(sidecar: Wire<'Admin/ListSidecars'>['responseRead']['sidecars'][number]): SidecarStatus {
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
