import type { SpiffeId } from '@picket/identity'
import type { Template } from './entry-template.ts'

/** Who may be who, as written down: a workload that has proved all of `selectors` is `spiffeId`. */
export interface StoredEntry {
  readonly id: string
  readonly spiffeId: Template
  /** Sorted, no two alike, one of them attested; those of type unix are the sidecar's to match. */
  readonly selectors: readonly string[]
  /** 0 = the control plane's default. */
  readonly ttlSeconds: number
  readonly dnsNames: readonly string[]
  readonly service: Template
  readonly hint: string
  /** Names of trust domains, sorted. */
  readonly federatesWith: readonly string[]
  readonly createdAtMs: number
  readonly updatedAtMs: number
  /** The revision of all entries that this one's last change made. */
  readonly revision: number
}

/** An entry as it is for one attestation: its templates are filled. */
export interface RegistrationEntry extends Omit<StoredEntry, 'spiffeId' | 'service'> {
  readonly spiffeId: SpiffeId
  readonly service: string
  /** The service's name came out of a template: nobody else may have it while an SVID of this one lives. */
  readonly claimsService?: true
}

/** What of an entry its writer chooses, checked. */
export type ParsedDraft = Omit<StoredEntry, 'id' | 'createdAtMs' | 'updatedAtMs' | 'revision'>
