/**
 * What is told to a workload, each as the full state. Keys of the maps are the SPIFFE IDs of trust domains
 * (`spiffe://bank.test`); certificates are DER, one after the other.
 */
export interface X509SvidState {
  /** The first is the default identity; hints are unique. */
  readonly svids: readonly X509SvidEntry[]
  readonly crls: readonly Buffer[]
  readonly federatedBundles: Readonly<Record<string, Buffer>>
}

export interface X509SvidEntry {
  readonly spiffeId: string
  /** Leaf first. */
  readonly chain: Buffer
  /** PKCS #8. */
  readonly key: Buffer
  readonly bundle: Buffer
  readonly hint: string
}

export interface X509BundleState {
  readonly crls: readonly Buffer[]
  readonly bundles: Readonly<Record<string, Buffer>>
}

/** JWK Sets, by trust domain. */
export interface JwtBundleState {
  readonly bundles: Readonly<Record<string, string>>
}

export interface JwtSvidRequest {
  /** Distinct, not empty. */
  readonly audience: readonly string[]
  /** Undefined: one for each identity. */
  readonly spiffeId: string | undefined
}

export interface JwtSvidEntry {
  readonly spiffeId: string
  readonly token: string
  readonly hint: string
}

export interface ValidateJwtSvidRequest {
  readonly audience: string
  readonly token: string
}

export interface ValidatedJwtSvid {
  readonly spiffeId: string
  readonly claims: Readonly<Record<string, unknown>>
}

/** What an Envoy may ask for, in PEM. */
export interface SecretState {
  /** The first is the default identity. */
  readonly svids: readonly { readonly spiffeId: string; readonly chain: string; readonly key: string }[]
  /** The own trust domain's first. */
  readonly bundles: readonly { readonly trustDomain: string; readonly authorities: string }[]
}
