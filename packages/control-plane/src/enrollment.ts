import { parseSpiffeId, type SpiffeId } from '@picket/identity'
import type { Entry } from '@picket/rpc'
import type { Clock, Secret } from '@picket/runtime'
import type { Entries } from './entries.ts'
import type { JoinTokens } from './join-tokens.ts'
import { missingSelectors } from './selectors.ts'
import type { Database } from './store/database.ts'

/**
 * Who may have which identity. Evidence is turned into facts, facts are matched with entries, and what was proven is
 * remembered per SPIFFE ID, so that a renewal is checked against today's entries and not against yesterday's answer.
 */
export interface Enrollment {
  /** First identity: the token's facts decide; `wanted` chooses where several entries match. */
  enroll(token: Secret<string>, wanted: SpiffeId | undefined): Enrolled | EnrollmentDenial
  /** Renewal: the caller has proven `id` by its SVID; is there still an entry that its remembered facts satisfy? */
  renew(id: SpiffeId): Enrolled | EnrollmentDenial
}

export interface Enrolled {
  readonly kind: 'enrolled'
  readonly id: SpiffeId
  readonly entry: Entry
}

export interface EnrollmentDenial {
  readonly kind: 'denied'
  readonly reason: EnrollmentReason
}

export type EnrollmentReason =
  | 'token_unknown'
  | 'token_used'
  | 'token_expired'
  | 'no_entry'
  | 'wanted_id_not_entitled'
  | 'ambiguous_entries'
  | 'never_attested'
  | 'entry_withdrawn'

export function createEnrollment(
  database: Database,
  { entries, tokens, clock }: { entries: Entries; tokens: JoinTokens; clock: Clock },
): Enrollment {
  const remember = database.sql.prepare(`
    INSERT INTO attestations (spiffe_id, facts, attested_at_ms) VALUES (?, ?, ?)
    ON CONFLICT (spiffe_id) DO UPDATE SET facts = excluded.facts, attested_at_ms = excluded.attested_at_ms`)
  const recall = database.sql.prepare('SELECT facts FROM attestations WHERE spiffe_id = ?')

  return {
    enroll(token, wanted) {
      const verdict = tokens.redeem(token)
      if (verdict.kind === 'refused') return denied(verdict.reason)
      const chosen = choose(entries.matching(verdict.facts), wanted)
      if (chosen.kind === 'enrolled') remember.run(chosen.id.uri, JSON.stringify(verdict.facts), clock.now())
      return chosen
    },
    renew(id) {
      const row = recall.get(id.uri)
      if (!row) return denied('never_attested')
      const facts = JSON.parse(String(row['facts'])) as string[]
      const entry = entries.forSpiffeId(id).find(({ selectors }) => missingSelectors(selectors, facts).length === 0)
      return entry ? { kind: 'enrolled', id, entry } : denied('entry_withdrawn')
    },
  }
}

/** The wanted one, or the single most specific one; two equally specific identities are nobody's to guess. */
function choose(matching: readonly Entry[], wanted: SpiffeId | undefined): Enrolled | EnrollmentDenial {
  if (matching.length === 0) return denied('no_entry')
  if (wanted) {
    const entry = matching.find(({ spiffeId }) => spiffeId === wanted.uri)
    return entry ? enrolled(entry) : denied('wanted_id_not_entitled')
  }
  const [best, ...others] = matching as [Entry, ...Entry[]]
  const rival = others.find(
    (other) => other.selectors.length === best.selectors.length && other.spiffeId !== best.spiffeId,
  )
  return rival ? denied('ambiguous_entries') : enrolled(best)
}

function enrolled(entry: Entry): Enrolled {
  return { kind: 'enrolled', id: parseSpiffeId(entry.spiffeId), entry }
}

function denied(reason: EnrollmentReason): EnrollmentDenial {
  return { kind: 'denied', reason }
}
