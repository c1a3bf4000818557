/**
 * What is said between sidecars, operators and the control plane, as the rest of the code sees it: no field is missing,
 * times are milliseconds since the epoch, `''` and `0` stand for "not given" exactly as in `proto/picket/v1`.
 */
export const RESOURCE_KINDS = ['trust-bundle', 'policy-bundle', 'endpoints', 'service-config'] as const

export type ResourceKindName = (typeof RESOURCE_KINDS)[number]

export interface AttestRequest {
  /** A secret: never logged, never in an error. */
  readonly joinToken: string
  /** DER PKCS#10. */
  readonly csr: Buffer
}

export interface SvidMessage {
  readonly spiffeId: string
  /** DER certificates, leaf first, the authority left out. */
  readonly chain: readonly Buffer[]
}

export interface AttestResponse {
  readonly svid: SvidMessage
  /** SPIFFE bundle of the trust domain (JWK Set). */
  readonly trustBundle: string
}

export interface IssueRequest {
  readonly csr: Buffer
}

export interface IssueResponse {
  readonly svid: SvidMessage
}

export interface ResourceRevision {
  readonly kind: ResourceKindName
  readonly revision: string
}

/** A resource as a whole, its SHA-256 checked. */
export interface Resource extends ResourceRevision {
  readonly bytes: Buffer
}

export interface ResourceChunk extends ResourceRevision {
  readonly index: number
  readonly count: number
  readonly totalBytes: number
  readonly sha256: Buffer
  readonly content: Buffer
}

export interface Hello {
  readonly kind: 'hello'
  readonly instanceId: string
  readonly version: string
  /** HOST:PORT, or '' when it takes no inbound calls. */
  readonly advertise: string
  readonly held: readonly ResourceRevision[]
}

export interface Ack {
  readonly kind: 'ack'
  readonly resource: ResourceKindName
  readonly revision: string
}

export interface Nack {
  readonly kind: 'nack'
  readonly resource: ResourceKindName
  readonly revision: string
  readonly code: string
  readonly message: string
}

export interface Report {
  readonly kind: 'report'
  readonly svidSerial: string
  readonly svidNotAfterMs: number
  readonly keyExchangeGroup: string
  readonly ready: boolean
  readonly notReadyReasons: readonly string[]
  readonly requestsAllowed: number
  readonly requestsDenied: number
  readonly svidRotations: number
}

/** Sidecar → control plane. `hello` comes first, once. */
export type SyncRequestMessage = Hello | Ack | Nack | Report

/** Control plane → sidecar. */
export type SyncPush = { readonly kind: 'chunk'; readonly chunk: ResourceChunk } | { readonly kind: 'rotate-svid' }

export interface CreateTokenRequest {
  readonly selectors: readonly string[]
  /** 0 = 600. */
  readonly ttlSeconds: number
}

export interface CreateTokenResponse {
  /** A secret, shown once. */
  readonly token: string
  readonly expiresAtMs: number
}

/** What an operator writes; the control plane adds `id` and `createdAtMs`. */
export interface EntryDraft {
  readonly spiffeId: string
  readonly selectors: readonly string[]
  /** 0 = the control plane's default. */
  readonly ttlSeconds: number
  readonly dnsNames: readonly string[]
  /** '' = the last path segment of the SPIFFE ID. */
  readonly service: string
}

export interface Entry extends EntryDraft {
  readonly id: string
  readonly createdAtMs: number
}

export interface ListEntriesRequest {
  /** 0 = 500; at most 1000. */
  readonly pageSize: number
  /** '' = from the start. */
  readonly pageToken: string
}

export interface ListEntriesResponse {
  readonly entries: readonly Entry[]
  /** '' = that was the last page. */
  readonly nextPageToken: string
}

export interface PolicyRevision {
  readonly revision: string
  /** SHA-256 of the bundle, hex. */
  readonly digest: string
  readonly bytes: number
  readonly pushedAtMs: number
  readonly pushedBy: string
  readonly active: boolean
}

export interface ResourceStatus {
  readonly kind: ResourceKindName
  readonly sentRevision: string
  readonly ackedRevision: string
  /** '' unless the newest revision was refused. */
  readonly nackCode: string
  readonly nackMessage: string
}

export interface SidecarStatus {
  readonly spiffeId: string
  readonly service: string
  readonly instanceId: string
  readonly advertise: string
  readonly version: string
  readonly connected: boolean
  readonly connectedAtMs: number
  readonly svidSerial: string
  readonly svidNotAfterMs: number
  readonly ready: boolean
  readonly notReadyReasons: readonly string[]
  readonly resources: readonly ResourceStatus[]
  readonly requestsAllowed: number
  readonly requestsDenied: number
  readonly svidRotations: number
}

export interface Status {
  readonly trustDomain: string
  readonly version: string
  readonly startedAtMs: number
  readonly authorityKeyId: string
  readonly authorityNotAfterMs: number
  /** '' = none pushed yet. */
  readonly policyRevision: string
  readonly entries: number
  readonly issuedSvids: number
  readonly sidecars: readonly SidecarStatus[]
}
