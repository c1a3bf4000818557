import type { DatabaseSync } from 'node:sqlite'
import type { SvidStore } from '../certificates.ts'
import type { AttestationStore } from '../enrollment.ts'
import type { StoredToken, TokenStore } from '../join-tokens.ts'
import { inTransaction } from './transaction.ts'

interface Pruning {
  prune(beforeMs: number): Promise<void>
}

/** Tokens, what they proved, and the SVIDs that followed. */
export function createEnrollmentTables(database: DatabaseSync): TokenStore & AttestationStore & SvidStore & Pruning {
  return {
    ...createTokenTable(database),
    ...createSvidTable(database),
    async prune(beforeMs) {
      inTransaction(database, () => {
        database.prepare('DELETE FROM join_tokens WHERE expires_at_ms < ?').run(beforeMs)
        database.prepare('DELETE FROM svids WHERE not_after_ms < ?').run(beforeMs)
        database
          .prepare('DELETE FROM attestations WHERE attested_at_ms < ? AND id NOT IN (SELECT attestation FROM svids)')
          .run(beforeMs)
      })
    },
  }
}

function createTokenTable(database: DatabaseSync): TokenStore & Pick<AttestationStore, 'redeemToken'> {
  const insert = database.prepare(`
    INSERT INTO join_tokens (id, secret_sha256, selectors, created_at_ms, created_by, expires_at_ms)
    VALUES (?, ?, ?, ?, ?, ?)`)
  const find = database.prepare(`
    SELECT secret_sha256, selectors, expires_at_ms, used_at_ms FROM join_tokens WHERE id = ?`)
  const redeem = database.prepare(`
    UPDATE join_tokens SET used_at_ms = ? WHERE id = ? AND used_at_ms IS NULL AND expires_at_ms > ?`)
  const attest = database.prepare('INSERT INTO attestations (id, selectors, attested_at_ms) VALUES (?, ?, ?)')
  return {
    async insertToken({ id, secretSha256, facts, expiresAtMs }, createdAtMs, createdBy) {
      insert.run(id, secretSha256, JSON.stringify(facts), createdAtMs, createdBy, expiresAtMs)
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
      } satisfies StoredToken
    },
    async redeemToken(tokenId, { id, facts }, nowMs) {
      return inTransaction(database, () => {
        if (redeem.run(nowMs, tokenId, nowMs).changes !== 1) return false
        attest.run(id, JSON.stringify(facts), nowMs)
        return true
      })
    },
  }
}

function createSvidTable(database: DatabaseSync): SvidStore & Pick<AttestationStore, 'findAttestation'> {
  const find = database.prepare(`
    SELECT attestations.id, selectors FROM svids JOIN attestations ON attestation = attestations.id
    WHERE serial_number = ? AND spiffe_id = ?`)
  const insert = database.prepare(`
    INSERT INTO svids (serial_number, spiffe_id, attestation, issued_at_ms, not_after_ms) VALUES (?, ?, ?, ?, ?)`)
  const issued = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'svids'")
  return {
    async findAttestation(serialNumber, spiffeId) {
      const row = find.get(serialNumber, spiffeId)
      return row && { id: row['id'] as string, facts: JSON.parse(row['selectors'] as string) as string[] }
    },
    async recordSvid({ serialNumber, spiffeId, attestationId, issuedAtMs, notAfterMs }) {
      insert.run(serialNumber, spiffeId, attestationId, issuedAtMs, notAfterMs)
    },
    async countSvids() {
      return (issued.get() as { seq: number } | undefined)?.seq ?? 0
    },
  }
}
