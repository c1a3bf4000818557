import type { SpiffeId } from '@picket/identity'
import type { Clock, Random } from '@picket/runtime'
import type { EntryStore, RegistrationEntry } from './entries.ts'
import type { JoinTokens, TokenDenialReason } from './join-tokens.ts'

/**
 * From proof to identity: attested facts → the registration entry that they match. The facts are remembered with the SVID
 * that they led to and handed on from each SVID to the next, so that every renewal asks the entries again with what this
 * very sidecar has proved, and not with what another sidecar of the same SPIFFE ID has.
 */
export interface Attestation {
  readonly id: string
  readonly facts: readonly string[]
}

export interface AttestationStore {
  /** Marks the token used and keeps the attestation, in one transaction; false when the token was not there to be used. */
  redeemToken(tokenId: string, attestation: Attestation, nowMs: number): Promise<boolean>
  /** What was proved by whoever holds the SVID with this serial number and ID. */
  findAttestation(serialNumber: string, spiffeId: string): Promise<Attestation | undefined>
}

/** An expected no: a value, with the reason for the record and the words for the caller. */
export interface EnrollmentDenial {
  readonly kind: 'denied'
  readonly reason: TokenDenialReason | 'no-entry' | 'several-entries' | 'requested-id' | 'unknown-svid'
  readonly message: string
  /** For the record only: what was proved, and which entries came near. */
  readonly detail?: string
}

/** A match, whose proof is still to be redeemed where it is good only once. */
export interface Enrollment {
  readonly kind: 'enrolled'
  readonly entry: RegistrationEntry
  readonly attestation: Attestation
}

export interface EnrollmentService {
  /** Takes the token: whatever comes of it, it is used when the result is an enrollment. */
  enroll(joinToken: string, requestedId: SpiffeId | undefined): Promise<Enrollment | EnrollmentDenial>
  /** Whether the holder of an SVID may go on being who it is. */
  confirm(id: SpiffeId, serialNumber: string): Promise<Enrollment | EnrollmentDenial>
}

interface EnrollmentDeps {
  readonly store: Pick<EntryStore, 'matchEntries' | 'nearEntries'> & AttestationStore
  readonly tokens: Pick<JoinTokens, 'check'>
  readonly clock: Pick<Clock, 'now'>
  readonly random: Pick<Random, 'uuid'>
}

export function createEnrollment({ store, tokens, clock, random }: EnrollmentDeps): EnrollmentService {
  async function match(facts: readonly string[], wanted?: SpiffeId): Promise<RegistrationEntry | EnrollmentDenial> {
    const entry = chooseEntry(await store.matchEntries(facts), wanted)
    if (!('kind' in entry)) return entry
    return { ...entry, detail: explain(facts, await store.nearEntries(facts, 5)) }
  }

  return {
    async enroll(joinToken, requestedId) {
      const token = await tokens.check(joinToken)
      if (typeof token === 'string') return denyToken(token)
      const entry = await match(token.facts, requestedId)
      if ('kind' in entry) return entry
      const attestation = { id: random.uuid(), facts: token.facts }
      const redeemed = await store.redeemToken(token.id, attestation, clock.now())
      return redeemed ? { kind: 'enrolled', entry, attestation } : denyToken('token-used')
    },
    async confirm(id, serialNumber) {
      const attestation = await store.findAttestation(serialNumber, id.uri)
      if (!attestation) return deny('unknown-svid', 'this SVID is not one to renew here: attest anew')
      const entry = await match(attestation.facts, id)
      return 'kind' in entry ? entry : { kind: 'enrolled', entry, attestation }
    },
  }
}

/** The requested ID among the matches, else the match that asks for the most facts. */
function chooseEntry(
  matches: readonly RegistrationEntry[],
  requestedId: SpiffeId | undefined,
): RegistrationEntry | EnrollmentDenial {
  if (matches.length === 0) return deny('no-entry', 'no registration entry matches the attested facts')
  const wanted = requestedId ? matches.filter(({ spiffeId }) => spiffeId.uri === requestedId.uri) : matches
  const [best, ...others] = wanted.toSorted((a, b) => b.selectors.length - a.selectors.length)
  if (!best) return deny('requested-id', 'no registration entry gives the attested facts this SPIFFE ID')
  const rival = others.find(
    ({ selectors, spiffeId }) => selectors.length === best.selectors.length && spiffeId.uri !== best.spiffeId.uri,
  )
  if (!rival) return best
  return deny('several-entries', 'several registration entries match equally: ask for one SPIFFE ID in the CSR')
}

/** "No identity" must not be a riddle: the facts, and what each entry that came near asks for beyond them. */
function explain(facts: readonly string[], near: readonly RegistrationEntry[]): string {
  const lacking = near.map(({ spiffeId, selectors }) => {
    const missing = selectors.filter((selector) => !facts.includes(selector))
    return `${spiffeId.uri} lacks ${missing.join(' ') || 'nothing'}`
  })
  return [`proved: ${facts.join(' ')}`, ...lacking].join('; ')
}

function denyToken(reason: TokenDenialReason): EnrollmentDenial {
  return deny(reason, 'the join token is not valid: wrong, used or expired')
}

function deny(reason: EnrollmentDenial['reason'], message: string): EnrollmentDenial {
  return { kind: 'denied', reason, message }
}
