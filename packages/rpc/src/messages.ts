/**
 * What is said between sidecars, operators and the control plane, as the rest of the code sees it: no field is missing,
 * times are milliseconds since the epoch, `''` and `0` stand for "not given" exactly as in `proto/picket/v1`.
 */
export const RESOURCE_KINDS = [
  'trust-bundle',
  'policy-bundle',
  'endpoints',
  'service-config',
  'identities',
  'federated-bundles',
  'revocations',
] as const

export type ResourceKindName = (typeof RESOURCE_KINDS)[number]

export interface ChallengeResponse {
  readonly challenge: Buffer
  readonly expiresAtMs: number
}

/** Proof of a certificate's key; what is signed: `toSignedChallenge` in `challenge.ts`. */
export interface SignedChallenge {
  /** DER certificates, leaf first. */
  readonly chain: readonly Buffer[]
  readonly challenge: Buffer
  readonly signature: Buffer
}

/** Exactly one kind of evidence, or `expiredSvid` with one more. */
export interface AttestRequest {
  /** A secret: never logged, never in an error. '' = none. */
  readonly joinToken: string
  /** DER PKCS#10. */
  readonly csr: Buffer
  readonly x509Pop?: SignedChallenge | undefined
  /** A secret. '' = none. */
  readonly kubernetesToken?: string
  readonly expiredSvid?: SignedChallenge | undefined
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

export interface IssueJwtRequest {
  /** '' = the caller's own. */
  readonly spiffeId: string
  readonly audience: readonly string[]
}

export interface IssueJwtResponse {
  readonly spiffeId: string
  /** A secret. */
  readonly token: string
  readonly issuedAtMs: number
  readonly expiresAtMs: number
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
  /** Not '': `content` is (part of) a delta to this revision; `totalBytes` is the delta's, `sha256` the whole resource's. */
  readonly baseRevision: string
}

export interface Hello {
  readonly kind: 'hello'
  readonly instanceId: string
  readonly version: string
  /** HOST:PORT, or '' when it takes no inbound calls. */
  readonly advertise: string
  readonly held: readonly ResourceRevision[]
  /** It can apply deltas; else every resource comes whole. */
  readonly takesDeltas?: boolean
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
  /** Of the authorities that signed the SVIDs held, no two alike. */
  readonly authorityKeyIds: readonly string[]
  readonly svidKeyAlgorithm: string
}

/** Sidecar → control plane. `hello` comes first, once. */
export type SyncRequestMessage = Hello | Ack | Nack | Report

/** Control plane → sidecar. */
export type SyncPush = { readonly kind: 'chunk'; readonly chunk: ResourceChunk } | { readonly kind: 'rotate-svid' }
