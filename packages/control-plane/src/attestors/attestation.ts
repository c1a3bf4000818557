import type { Attested, EvidenceKind } from './attestor.ts'

/**
 * What was proved, and how. It is remembered with the SVID that it led to and handed on from each SVID to the next, so that
 * every renewal asks the entries again with what this very sidecar has proved, and not with what another sidecar of the
 * same SPIFFE ID has.
 */
export interface Attestation {
  readonly id: string
  readonly evidence: EvidenceKind
  /** Who it was, for the record. */
  readonly subject: string
  readonly facts: readonly string[]
}

export interface AttestationStore {
  /**
   * Marks the token used by this key and keeps the attestation, in one transaction. Resolves with the attestation that the
   * token led to: an earlier one when the same key comes again within the token's life; undefined when it is not there to be
   * used.
   */
  redeemToken(
    token: NonNullable<Attested['token']>,
    attestation: Attestation,
    nowMs: number,
  ): Promise<string | undefined>
  saveAttestation(attestation: Attestation, nowMs: number): Promise<void>
  /** What was proved by whoever holds the SVID with this serial number and ID. */
  findAttestation(serialNumber: string, spiffeId: string): Promise<Attestation | undefined>
}
