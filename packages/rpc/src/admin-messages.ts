import type { ResourceKindName } from './messages.ts'

/** What an operator says to the control plane about tokens, entries, policies and sidecars, and hears from it. */
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

/** What an operator writes; the control plane adds the rest. */
export interface EntryDraft {
  /** In full, or a template over attested facts: `spiffe://bank.test/ns/{k8s.ns}/sa/{k8s.sa}`. */
  readonly spiffeId: string
  /** Those of type `unix` are matched by the sidecar against its local callers. */
  readonly selectors: readonly string[]
  /** 0 = the control plane's default. */
  readonly ttlSeconds: number
  readonly dnsNames: readonly string[]
  /** '' = the last path segment of the SPIFFE ID. */
  readonly service: string
  /** Told to the workload beside the SVID. */
  readonly hint: string
  /** Names of trust domains. */
  readonly federatesWith: readonly string[]
}

export interface Entry extends EntryDraft {
  readonly id: string
  readonly createdAtMs: number
  readonly updatedAtMs: number
}

export type EntryChange =
  | { readonly kind: 'create'; readonly draft: EntryDraft }
  | { readonly kind: 'update'; readonly id: string; readonly draft: EntryDraft }
  | { readonly kind: 'delete'; readonly id: string }

export interface ApplyEntriesRequest {
  /** What the changes were planned on; 0 = whatever there is. */
  readonly expectedRevision: number
  readonly changes: readonly EntryChange[]
}

export interface ApplyEntriesResponse {
  readonly created: number
  readonly updated: number
  readonly deleted: number
  readonly revision: number
}

/** One of the two, or neither for the newest denials whoever they were of. */
export interface ExplainIdentityRequest {
  readonly spiffeId: string
  readonly facts: readonly string[]
}

export interface NearMiss {
  readonly entryId: string
  readonly spiffeId: string
  readonly matched: readonly string[]
  readonly missing: readonly string[]
  /** Where the selectors all match: why there is no identity nevertheless. */
  readonly problem: string
}

export interface Denial {
  readonly atMs: number
  readonly spiffeId: string
  readonly remote: string
  readonly evidence: string
  readonly reason: string
  readonly message: string
  readonly facts: readonly string[]
  readonly near: readonly NearMiss[]
}

export interface ExplainIdentityResponse {
  readonly entitled: readonly string[]
  readonly near: readonly NearMiss[]
  readonly denials: readonly Denial[]
}

export interface ListEntriesResponse {
  readonly entries: readonly Entry[]
  /** '' = that was the last page. */
  readonly nextPageToken: string
  /** Of all entries; grows with each change. */
  readonly revision: number
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
  readonly keyExchangeGroup: string
  readonly authorityKeyIds: readonly string[]
  readonly svidKeyAlgorithm: string
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
  readonly sidecarsConnected: number
  readonly svidAlgorithm: string
  readonly revocations: number
}

/** `pageSize` 0 = 500, at most 1000; `pageToken` '' = from the start. */
export interface PageRequest {
  readonly pageSize: number
  readonly pageToken: string
}

export interface ListSidecarsResponse {
  readonly sidecars: readonly SidecarStatus[]
  readonly nextPageToken: string
}
