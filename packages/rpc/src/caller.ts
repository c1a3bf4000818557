import { parseSpiffeId, type SpiffeId, type TrustDomain } from '@picket/identity'
import type { VerifiedPeer } from '@picket/mtls'
import type { Method } from './contract.ts'
import { RpcError } from './rpc-error.ts'

/**
 * Who may call what. The transport takes connections with and without a client certificate, because a sidecar has none
 * before it attests; from there on this table is the gate. It is complete by type: a method added to `proto/` does not
 * compile until it has a row. The certificate was verified when the connection was made and its expiry is checked again
 * for each call, since a connection may outlive it.
 */
const CALLERS = {
  'Certificates/Challenge': 'anyone',
  'Certificates/Attest': 'anyone',
  'Certificates/Issue': 'workload',
  'Certificates/IssueJwt': 'workload',
  'Sync/Sync': 'workload',
  'Admin/CreateToken': 'operator',
  'Admin/CreateEntry': 'operator',
  'Admin/ListEntries': 'operator',
  'Admin/DeleteEntry': 'operator',
  'Admin/ApplyEntries': 'operator',
  'Admin/ExplainIdentity': 'operator',
  'Admin/PushPolicy': 'operator',
  'Admin/ListPolicies': 'operator',
  'Admin/RotateSvids': 'operator',
  'Admin/GetStatus': 'operator',
  'Admin/ListSidecars': 'operator',
  'Authorities/GetAuthorities': 'operator',
  'Authorities/PrepareAuthority': 'operator',
  'Authorities/ActivateAuthority': 'operator',
  'Authorities/TaintAuthority': 'operator',
  'Authorities/RevokeAuthority': 'operator',
  'Authorities/RotateAuthorities': 'operator',
  'Revocations/CreateRevocation': 'operator',
  'Revocations/DeleteRevocation': 'operator',
  'Revocations/ListRevocations': 'operator',
  'Federation/SetRelationship': 'operator',
  'Federation/DeleteRelationship': 'operator',
  'Federation/ListRelationships': 'operator',
  'Federation/RefreshRelationship': 'operator',
} as const satisfies Record<Method, CallerRole>

type CallerRole = 'anyone' | 'workload' | 'operator'

/** Who makes a call, as its TLS connection proves it. */
export interface Caller {
  /** Undefined only for methods that take anyone. */
  readonly id: SpiffeId | undefined
  readonly peer: VerifiedPeer | undefined
  /** `ADDRESS:PORT` of the other end, for the record only. */
  readonly remote: string
}

/** `spiffe://TRUST_DOMAIN/picket/control-plane`. */
export function controlPlaneId(trustDomain: TrustDomain): SpiffeId {
  return parseSpiffeId(`${trustDomain.id}/picket/control-plane`)
}

/** `spiffe://TRUST_DOMAIN/picket/operator`. */
export function operatorId(trustDomain: TrustDomain): SpiffeId {
  return parseSpiffeId(`${trustDomain.id}/picket/operator`)
}

/** True for the IDs under `/picket/`, which Picket keeps for itself and gives to no workload. */
export function isReservedId({ path }: SpiffeId): boolean {
  return path === '/picket' || path.startsWith('/picket/')
}

/** The caller, or why this method is not for it. */
export function admitCaller(
  method: Method,
  peer: VerifiedPeer | undefined,
  remote: string,
  now: Date,
  trustDomain: TrustDomain,
): Caller | RpcError {
  const role: CallerRole = CALLERS[method]
  if (role === 'anyone') return { id: peer?.id, peer, remote }
  if (!peer) return new RpcError('ERR_RPC_UNAUTHENTICATED', 'this call needs a client certificate')
  if (peer.notAfter <= now) return new RpcError('ERR_RPC_UNAUTHENTICATED', 'the client certificate has expired')
  if (!isInRole(role, peer.id, trustDomain)) return new RpcError('ERR_RPC_DENIED', `this call is for the ${role} role`)
  return { id: peer.id, peer, remote }
}

function isInRole(role: Exclude<CallerRole, 'anyone'>, id: SpiffeId, trustDomain: TrustDomain): boolean {
  switch (role) {
    case 'workload':
      return id.trustDomain.name === trustDomain.name && !isReservedId(id)
    case 'operator':
      return id.uri === operatorId(trustDomain).uri
  }
}
