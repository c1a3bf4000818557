import type { Certificate, Csr, SpiffeId, TrustBundle, TrustDomain } from '@picket/identity'

/**
 * What the control plane needs of a certificate authority, and all that it sees of one. The `ca` package's `Authority`
 * is such an issuer; a remote one or one whose key is in an HSM would be another.
 */
export interface Issuer {
  readonly trustDomain: TrustDomain
  readonly bundle: TrustBundle
  /** The authority's own certificate, for status. */
  readonly certificate: Certificate
  issue(request: {
    readonly csr: Csr
    readonly id: SpiffeId
    readonly ttlMs: number
    readonly dnsNames?: readonly string[]
    readonly caller: string
  }): Promise<readonly Certificate[]>
}
