import type { DatabaseSync } from 'node:sqlite'
import { parseRevocationSubject } from '@picket/identity'
import type { RevocationStore, StoredRevocation } from '../revocation/revocations.ts'
import { inTransaction } from './transaction.ts'

export function createRevocationTable(database: DatabaseSync): RevocationStore {
  const save = database.prepare(`
    INSERT INTO revocations (kind, value, reason, created_at_ms, created_by, expires_at_ms) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (kind, value) DO UPDATE SET
      reason = excluded.reason, created_at_ms = excluded.created_at_ms, created_by = excluded.created_by,
      expires_at_ms = excluded.expires_at_ms`)
  const remove = database.prepare('DELETE FROM revocations WHERE kind = ? AND value = ?')
  const all = database.prepare(`
    SELECT kind, value, reason, created_at_ms, created_by, expires_at_ms FROM revocations ORDER BY seq`)
  const serials = database.prepare('SELECT serial_number FROM svids WHERE not_after_ms > ? AND spiffe_id = ?')
  return {
    async saveRevocation({ subject, reason, createdAtMs, createdBy, expiresAtMs }) {
      const { kind, value } = subject
      inTransaction(database, () => save.run(kind, value, reason, createdAtMs, createdBy, expiresAtMs))
    },
    async deleteRevocation({ kind, value }) {
      inTransaction(database, () => remove.run(kind, value))
    },
    async loadRevocations() {
      return all.all().map((row): StoredRevocation => {
        return {
          subject: parseRevocationSubject(row['kind'] as string, row['value'] as string),
          reason: row['reason'] as string,
          createdAtMs: row['created_at_ms'] as number,
          createdBy: row['created_by'] as string,
          expiresAtMs: row['expires_at_ms'] as number,
        }
      })
    },
    async liveSerials(spiffeId, nowMs) {
      return serials.all(nowMs, spiffeId).map((row) => row['serial_number'] as string)
    },
  }
}
