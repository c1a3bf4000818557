import type { Csr } from '@picket/identity'
import type { AttestRequest } from '@picket/rpc'

/** How somebody without a valid SVID proves who it is. */
export type EvidenceKind = 'join-token' | 'x509-pop' | 'kubernetes' | 'expired-svid'

/** Evidence that holds. Facts never hold a secret: they are logged and shown to operators. */
export interface Attested {
  readonly kind: 'attested'
  readonly evidence: EvidenceKind
  readonly facts: readonly string[]
  /** Who it was, in words that stay the same each time: for the record. */
  readonly subject: string
  /** Evidence that is good once, and by whose key it is used: SHA-256 of the public key, hex. */
  readonly token?: { readonly id: string; readonly keySha256: string }
  /** An attestation that is gone on with instead of a new one. */
  readonly attestationId?: string
  /** The only SPIFFE ID that it may lead to. */
  readonly spiffeId?: string
}

export type EvidenceDenialReason =
  | 'token-unknown'
  | 'token-used'
  | 'token-expired'
  | 'evidence-not-taken'
  | 'challenge'
  | 'proof-of-possession'
  | 'x509-chain'
  | 'kubernetes-token'
  | 'expired-svid'
  | 'renewal-window'
  | 'unknown-svid'
  | 'fresh-evidence'

/** Evidence that does not hold: an expected no. */
export interface EvidenceDenial {
  readonly kind: 'denied'
  readonly evidence: EvidenceKind
  readonly reason: EvidenceDenialReason
  /** For the caller. */
  readonly message: string
  /** For the record only. */
  readonly detail?: string
}

/**
 * One kind of evidence → facts. Throws `ERR_RPC_INVALID` for evidence that is malformed and `ERR_ATTESTOR` where it cannot
 * be judged at the moment, for a reason that is the operator's business.
 */
export interface Attestor<Evidence> {
  attest(evidence: Evidence, csr: Csr): Promise<Attested | EvidenceDenial>
}

/** What a request shows, without the CSR. */
export type Evidence = Omit<AttestRequest, 'csr'>

export function deny(
  evidence: EvidenceKind,
  reason: EvidenceDenialReason,
  message: string,
  detail?: string,
): EvidenceDenial {
  return { kind: 'denied', evidence, reason, message, ...(detail === undefined ? {} : { detail }) }
}
