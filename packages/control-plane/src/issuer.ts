import type { Certificate, Csr, KeyAlgorithm, SpiffeId, TrustBundle, TrustDomain } from '@picket/identity'
import type { Watch } from '@picket/runtime'

/**
 * What the control plane needs of a certificate authority, and all that it sees of one. The `ca` package's `Authority`
 * is such an issuer; a remote one or one whose key is in an HSM would be another.
 */
export interface Issuer {
  readonly trustDomain: TrustDomain
  readonly bundle: Watch<TrustBundle>
  /** Every authority in the bundle, for status; one X.509 authority of them is active. */
  readonly authorities: Watch<
    readonly {
      readonly kind: 'x509' | 'jwt'
      readonly state: 'prepared' | 'active' | 'old'
      readonly keyId: string
      readonly notAfter: Date
    }[]
  >
  /** Of which kind keys should be, workloads' and Picket's own. */
  readonly svidAlgorithm: KeyAlgorithm
  /** A list of certificates taken back, by the active X.509 authority. */
  signCrl(
    revoked: readonly { readonly serialNumber: string; readonly revokedAt: Date }[],
    validForMs: number,
  ): Promise<Buffer>
  issue(request: {
    readonly csr: Csr
    readonly id: SpiffeId
    readonly ttlMs: number
    readonly dnsNames?: readonly string[]
    readonly caller: string
    readonly entryId?: string
    readonly entryRevision?: string
  }): Promise<readonly Certificate[]>
  issueJwt(request: {
    readonly id: SpiffeId
    readonly audience: readonly string[]
    readonly ttlMs: number
    readonly caller: string
    readonly entryId?: string
    readonly entryRevision?: string
    readonly issuer?: string
  }): Promise<{ readonly token: string; readonly issuedAt: Date; readonly expiresAt: Date; readonly keyId: string }>
}
