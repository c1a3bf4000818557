import type { DatabaseSync } from 'node:sqlite'
import type { EvidenceKind } from '../attestors/attestor.ts'
import type { IssuedSvid, SvidStore } from '../registration/certificates.ts'
import type { Attestation, AttestationStore } from '../attestors/attestation.ts'
import type { EntitlementStore } from '../registration/entitlement.ts'
import { ControlPlaneError } from '../error.ts'
import type { StoredToken, TokenStore } from '../attestors/join-tokens.ts'
import { createGroupCommit } from './group-commit.ts'
import { inTransaction } from './transaction.ts'

interface Pruning {
  prune(beforeMs: number): Promise<void>
}

/** Attestations found lately, by the SVID that they are asked for with: each SVID asks at its renewal and its stream. */
const REMEMBERED_ATTESTATIONS = 20_000

/** Tokens, what was proved, and the SVIDs that followed. */
export function createEnrollmentTables(
  database: DatabaseSync,
): TokenStore & AttestationStore & SvidStore & Pick<EntitlementStore, 'serviceHolder'> & Pruning {
  const found = new Map<string, Attestation>()
  return {
    ...createTokenTable(database),
    ...createAttestationTable(database, found),
    ...createSvidTable(database),
    async prune(beforeMs) {
      inTransaction(database, () => {
        database.prepare('DELETE FROM join_tokens WHERE expires_at_ms < ?').run(beforeMs)
        database.prepare('DELETE FROM svids WHERE not_after_ms < ?').run(beforeMs)
        database
          .prepare('DELETE FROM attestations WHERE attested_at_ms < ? AND id NOT IN (SELECT attestation FROM svids)')
          .run(beforeMs)
      })
      found.clear()
    },
  }
}

function createTokenTable(database: DatabaseSync): TokenStore & Pick<AttestationStore, 'redeemToken'> {
  const insert = database.prepare(`
    INSERT INTO join_tokens (id, secret_sha256, selectors, created_at_ms, created_by, expires_at_ms)
    VALUES (?, ?, ?, ?, ?, ?)`)
  const find = database.prepare(`
    SELECT secret_sha256, selectors, expires_at_ms, used_at_ms, used_by_key, attestation FROM join_tokens WHERE id = ?`)
  const redeem = database.prepare(`
    UPDATE join_tokens SET used_at_ms = ?, used_by_key = ?, attestation = ?
    WHERE id = ? AND used_at_ms IS NULL AND expires_at_ms > ?`)
  const redeemed = database.prepare(`
    SELECT attestation FROM join_tokens WHERE id = ? AND used_by_key = ? AND expires_at_ms > ?`)
  const save = prepareAttestation(database)
  return {
    async insertToken({ id, secretSha256, facts, expiresAtMs }, createdAtMs, createdBy) {
      inTransaction(database, () => {
        insert.run(id, secretSha256, JSON.stringify(facts), createdAtMs, createdBy, expiresAtMs)
      })
    },
    async findToken(id) {
      const row = find.get(id)
      if (!row) return undefined
      return {
        id,
        secretSha256: row['secret_sha256'] as Uint8Array,
        facts: JSON.parse(row['selectors'] as string) as string[],
        expiresAtMs: row['expires_at_ms'] as number,
        usedAtMs: (row['used_at_ms'] as number | null) ?? undefined,
        usedByKey: (row['used_by_key'] as string | null) ?? undefined,
        attestationId: (row['attestation'] as string | null) ?? undefined,
      } satisfies StoredToken
    },
    async redeemToken({ id, keySha256 }, attestation, nowMs) {
      return inTransaction(database, () => {
        if (redeem.run(nowMs, keySha256, attestation.id, id, nowMs).changes === 1) {
          save(attestation, nowMs)
          return attestation.id
        }
        return redeemed.get(id, keySha256, nowMs)?.['attestation'] as string | undefined
      })
    },
  }
}

function createAttestationTable(
  database: DatabaseSync,
  found: Map<string, Attestation>,
): Pick<AttestationStore, 'saveAttestation' | 'findAttestation'> {
  const find = database.prepare(`
    SELECT attestations.id, selectors, evidence, subject FROM svids JOIN attestations ON attestation = attestations.id
    WHERE serial_number = ? AND spiffe_id = ?`)
  const save = prepareAttestation(database)
  return {
    async saveAttestation(attestation, nowMs) {
      inTransaction(database, () => save(attestation, nowMs))
    },
    async findAttestation(serialNumber, spiffeId) {
      const key = `${serialNumber} ${spiffeId}`
      const attestation = found.get(key) ?? toAttestation(find.get(serialNumber, spiffeId))
      if (!attestation) return undefined
      found.delete(key)
      found.set(key, attestation)
      if (found.size > REMEMBERED_ATTESTATIONS) found.delete(found.keys().next().value!)
      return attestation
    },
  }
}

function prepareAttestation(database: DatabaseSync): (attestation: Attestation, nowMs: number) => void {
  const insert = database.prepare(`
    INSERT INTO attestations (id, selectors, attested_at_ms, evidence, subject) VALUES (?, ?, ?, ?, ?)`)
  return ({ id, facts, evidence, subject }, nowMs) => {
    insert.run(id, JSON.stringify(facts), nowMs, evidence, subject)
  }
}

function toAttestation(row: Record<string, unknown> | undefined): Attestation | undefined {
  if (!row) return undefined
  return {
    id: row['id'] as string,
    facts: JSON.parse(row['selectors'] as string) as string[],
    evidence: row['evidence'] as EvidenceKind,
    subject: row['subject'] as string,
  }
}

const HOLDER = `
  SELECT spiffe_id FROM entries WHERE service = ?1 AND spiffe_id <> ?2 AND instr(spiffe_id, '{') = 0
  UNION ALL SELECT spiffe_id FROM svids WHERE service = ?1 AND spiffe_id <> ?2 AND not_after_ms > ?3 LIMIT 1`

function createSvidTable(database: DatabaseSync): SvidStore & Pick<EntitlementStore, 'serviceHolder'> {
  const insert = database.prepare(`
    INSERT INTO svids (serial_number, spiffe_id, attestation, issued_at_ms, not_after_ms, service)
    VALUES (?, ?, ?, ?, ?, ?)`)
  const issued = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'svids'")
  const holder = database.prepare(HOLDER)
  const holderOf = (service: string, spiffeId: string, nowMs: number): string | undefined =>
    holder.get(service, spiffeId, nowMs)?.['spiffe_id'] as string | undefined

  const group = createGroupCommit(database, (svid: IssuedSvid) => {
    const { serialNumber, spiffeId, attestationId, issuedAtMs, notAfterMs, service } = svid
    const taken = service === undefined ? undefined : holderOf(service, spiffeId, issuedAtMs)
    if (taken !== undefined) {
      throw new ControlPlaneError('ERR_SERVICE_TAKEN', `${taken} is the service "${service!}" already`)
    }
    insert.run(serialNumber, spiffeId, attestationId, issuedAtMs, notAfterMs, service ?? null)
  })
  return {
    recordSvid: (svid) => group.run(svid),
    serviceHolder: async (service, spiffeId, nowMs) => holderOf(service, spiffeId, nowMs),
    async countSvids() {
      return (issued.get() as { seq: number } | undefined)?.seq ?? 0
    },
  }
}
