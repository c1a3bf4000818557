import { encodeTrustBundle, parseTrustBundle, type TrustBundle, type TrustDomain } from '@picket/identity'
import type { Relationship } from '@picket/rpc'
import type { FetchFailure } from './federation-failure.ts'
import { parseRelationship, type FederationRelationship } from './federation-relationship.ts'

/** One relationship and how it stands. */
export interface Member {
  readonly relationship: FederationRelationship
  /** The last good one. */
  bundle: TrustBundle | undefined
  /** 0 = never, or the bundle is the operator's. */
  fetchedAtMs: number
  nextFetchAtMs: number
  /** Of the last fetch. */
  failure: FetchFailure | undefined
}

export interface StoredRelationship {
  readonly trustDomain: string
  readonly url: string
  readonly profile: string
  /** '' for https_web. */
  readonly endpointId: string
  /** SPIFFE bundle document, once there is one. */
  readonly bundle: string | undefined
  readonly fetchedAtMs: number
}

export interface RelationshipStore {
  /** In the place of the one with the same trust domain. */
  saveRelationship(relationship: StoredRelationship, set: { readonly atMs: number; readonly by: string }): Promise<void>
  /** The bundle stays as it is when none is given. */
  saveFetch(trustDomain: string, fetchedAtMs: number, bundle?: string): Promise<void>
  deleteRelationship(trustDomain: string): Promise<void>
  loadRelationships(): Promise<readonly StoredRelationship[]>
  /** The trust domains that any entry federates with. */
  federatedNames(): Promise<readonly string[]>
}

export function createMember(relationship: FederationRelationship, bundle?: TrustBundle, fetchedAtMs = 0): Member {
  return { relationship, bundle, fetchedAtMs, nextFetchAtMs: 0, failure: undefined }
}

/** Throws what `parseRelationship` or `parseTrustBundle` does. */
export function fromStored(stored: StoredRelationship, own: TrustDomain): Member {
  const relationship = parseRelationship({ ...stored, endpointSpiffeId: stored.endpointId }, own)
  const bundle = stored.bundle === undefined ? undefined : parseTrustBundle(stored.bundle, relationship.trustDomain)
  return createMember(relationship, bundle, stored.fetchedAtMs)
}

export function toStored({ relationship, bundle, fetchedAtMs }: Member): StoredRelationship {
  return { ...endpointOf(relationship), bundle: bundle && encodeTrustBundle(bundle), fetchedAtMs }
}

export function toMessage({ relationship, bundle, fetchedAtMs, nextFetchAtMs, failure }: Member): Relationship {
  const { endpointId: endpointSpiffeId, ...endpoint } = endpointOf(relationship)
  return {
    ...endpoint,
    endpointSpiffeId,
    hasBundle: bundle !== undefined,
    sequence: String(bundle?.sequence ?? 0n),
    refreshHintSeconds: bundle?.refreshHintSeconds ?? 0,
    x509Authorities: bundle?.x509Authorities.length ?? 0,
    jwtAuthorities: bundle?.jwtAuthorities.length ?? 0,
    fetchedAtMs,
    nextFetchAtMs,
    failureCode: failure?.code ?? '',
    failureMessage: failure?.message ?? '',
  }
}

/** A domain that entries federate with, and nobody said from where its bundle comes. */
export function toMissing(trustDomain: string): Relationship {
  return {
    trustDomain,
    url: '',
    profile: '',
    endpointSpiffeId: '',
    hasBundle: false,
    sequence: '0',
    refreshHintSeconds: 0,
    x509Authorities: 0,
    jwtAuthorities: 0,
    fetchedAtMs: 0,
    nextFetchAtMs: 0,
    failureCode: 'no-relationship',
    failureMessage: 'entries federate with it, but it has no bundle endpoint: picket federation set',
  }
}

function endpointOf({
  trustDomain,
  url,
  profile,
}: FederationRelationship): Pick<StoredRelationship, 'trustDomain' | 'url' | 'profile' | 'endpointId'> {
  const endpointId = profile.kind === 'https_spiffe' ? profile.endpointId.uri : ''
  return { trustDomain: trustDomain.name, url: url.href, profile: profile.kind, endpointId }
}
