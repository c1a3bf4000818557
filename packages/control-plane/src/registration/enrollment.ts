import type { SpiffeId, TrustDomain } from '@picket/identity'
import type { NearMiss } from '@picket/rpc'
import type { Clock, Random } from '@picket/runtime'
import type { Attestation, AttestationStore } from '../attestors/attestation.ts'
import type { Attested, EvidenceDenialReason } from '../attestors/attestor.ts'
import {
  findEntitlement,
  toNearMiss,
  type EntitledIdentity,
  type Entitlement,
  type EntitlementStore,
} from './entitlement.ts'
import type { RegistrationEntry } from './registration-entry.ts'

/** An expected no: a value, with the reason for the record and the words for the caller. */
export interface EnrollmentDenial {
  readonly kind: 'denied'
  readonly reason: EvidenceDenialReason | 'no-entry' | 'requested-id' | 'revoked'
  readonly message: string
  /** For the record only: what was proved, and which entries came near. */
  readonly detail?: string
  readonly facts?: readonly string[]
  readonly near?: readonly NearMiss[]
}

/** Who somebody may be from now on. */
export interface Enrollment {
  readonly kind: 'enrolled'
  /** Of the identity that was asked for, which is the first of `identities`. */
  readonly entry: RegistrationEntry
  readonly attestation: Attestation
  /** All that the attestation gives. */
  readonly identities: readonly EntitledIdentity[]
}

/** From proof to identity: attested facts → the registration entries that they match. */
export interface EnrollmentService {
  /** Takes evidence that holds: what is good once is used when the result is an enrollment. */
  enroll(attested: Attested, requestedId: SpiffeId | undefined): Promise<Enrollment | EnrollmentDenial>
  /**
   * Whether the holder of an SVID may go on being who it is, or be `wanted` as well. It must be a sidecar's own SVID: one
   * for local processes alone is in their hands, and asks for nothing more.
   */
  confirm(id: SpiffeId, serialNumber: string, wanted?: SpiffeId): Promise<Enrollment | EnrollmentDenial>
  /** What an attestation entitles to now. */
  identitiesOf(attestation: Pick<Attestation, 'facts'>): Promise<readonly EntitledIdentity[]>
}

export interface EnrollmentDeps {
  readonly store: EntitlementStore & AttestationStore
  readonly trustDomain: TrustDomain
  readonly clock: Pick<Clock, 'now'>
  readonly random: Pick<Random, 'uuid'>
  /** Whether the deny-list names this SPIFFE ID. */
  readonly isRevoked?: (id: SpiffeId) => boolean
}

const MOST_NEAR = 20
const MOST_NEAR_LOGGED = 5

export function createEnrollment(deps: EnrollmentDeps): EnrollmentService {
  const { store, clock, trustDomain } = deps
  const entitle = (facts: readonly string[]): Promise<Entitlement> =>
    findEntitlement(store, trustDomain, facts, clock.now())

  /** The identities with the chosen one first. */
  async function choose(
    facts: readonly string[],
    wanted: SpiffeId | undefined,
    isAllowed: (identity: EntitledIdentity) => boolean,
  ): Promise<readonly EntitledIdentity[] | EnrollmentDenial> {
    const { identities, problems } = await entitle(facts)
    const allowed = identities.filter(isAllowed)
    const fitting = wanted ? allowed.filter(({ spiffeId }) => spiffeId.uri === wanted.uri) : allowed
    // Of entries for one SPIFFE ID the one that is the sidecar's too says what its SVID is like, each time.
    const chosen = fitting.find(({ selectors }) => selectors.length === 0) ?? fitting[0]
    if (chosen && deps.isRevoked?.(chosen.spiffeId)) return deny('revoked', 'this SPIFFE ID is revoked')
    if (chosen) return [chosen, ...identities.filter((identity) => identity !== chosen)]
    const local = identities.filter((identity) => !isAllowed(identity)).map((identity) => toLocalMiss(identity, facts))
    const asked = (await store.nearEntries(facts, MOST_NEAR)).map((entry) => toNearMiss(entry, facts))
    const near = [...problems, ...local, ...asked].slice(0, MOST_NEAR)
    const denial =
      allowed.length === 0
        ? deny('no-entry', 'no registration entry matches the attested facts')
        : deny('requested-id', 'no registration entry gives the attested facts this SPIFFE ID')
    return { ...denial, facts, near, detail: explain(facts, near) }
  }

  return {
    identitiesOf: async ({ facts }) => (await entitle(facts)).identities,
    async enroll(attested, requestedId) {
      const { facts, evidence, subject, token, attestationId, spiffeId } = attested
      const identities = await choose(
        facts,
        requestedId,
        (identity) => identity.selectors.length === 0 && (spiffeId === undefined || identity.spiffeId.uri === spiffeId),
      )
      if ('kind' in identities) return identities
      const attestation = { id: attestationId ?? deps.random.uuid(), evidence, subject, facts }
      const [{ entry }] = identities as readonly [EntitledIdentity, ...EntitledIdentity[]]
      if (attestationId !== undefined) return { kind: 'enrolled', entry, attestation, identities }
      if (!token) {
        await store.saveAttestation(attestation, clock.now())
        return { kind: 'enrolled', entry, attestation, identities }
      }
      const id = await store.redeemToken(token, attestation, clock.now())
      if (id === undefined) return deny('token-used', 'the join token is not valid: wrong, used or expired')
      return { kind: 'enrolled', entry, attestation: { ...attestation, id }, identities }
    },
    async confirm(id, serialNumber, wanted = id) {
      const attestation = await store.findAttestation(serialNumber, id.uri)
      if (!attestation) return deny('unknown-svid', 'this SVID is not one to renew here: attest anew')
      const self = await choose(attestation.facts, id, ({ selectors }) => selectors.length === 0)
      if ('kind' in self) return self
      const identities = wanted.uri === id.uri ? self : await choose(attestation.facts, wanted, () => true)
      if ('kind' in identities) return identities
      return { kind: 'enrolled', entry: identities[0]!.entry, attestation, identities }
    },
  }
}

/** It matches, but a sidecar cannot be it: it is for some processes beside the sidecar. */
function toLocalMiss({ entry, selectors }: EntitledIdentity, facts: readonly string[]): NearMiss {
  const problem =
    selectors.length === 0
      ? 'it is another SPIFFE ID than the expired SVID’s'
      : `it is for local processes alone (${selectors.join(' ')}): the sidecar needs an entry without unix selectors`
  const matched = entry.selectors.filter((selector) => facts.includes(selector))
  return { entryId: entry.id, spiffeId: entry.spiffeId.uri, matched, missing: [], problem }
}

/** "No identity" must not be a riddle: the facts, and what each entry that came near asks for beyond them. */
function explain(facts: readonly string[], near: readonly NearMiss[]): string {
  const lacking = near
    .slice(0, MOST_NEAR_LOGGED)
    .map(({ spiffeId, missing, problem }) => `${spiffeId} ${problem || `lacks ${missing.join(' ') || 'nothing'}`}`)
  return [`proved: ${facts.join(' ')}`, ...lacking].join('; ')
}

function deny(reason: EnrollmentDenial['reason'], message: string): EnrollmentDenial {
  return { kind: 'denied', reason, message }
}
