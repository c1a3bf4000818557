import { parseSpiffeId, type SpiffeId, type TrustDomain } from '@picket/identity'
import type { VerifiedPeer } from '@picket/mtls'

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
