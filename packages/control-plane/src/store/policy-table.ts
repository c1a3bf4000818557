import type { DatabaseSync } from 'node:sqlite'
import type { PolicyRevision } from '@picket/rpc'
import type { PolicyRevisionStore } from '../policies.ts'
import { inTransaction } from './transaction.ts'

const COLUMNS = 'revision, digest, length(content) AS bytes, pushed_at_ms, pushed_by, active'

export function createPolicyTable(database: DatabaseSync): PolicyRevisionStore {
  const find = database.prepare(`SELECT ${COLUMNS} FROM policies WHERE revision = ?`)
  const list = database.prepare(`SELECT ${COLUMNS} FROM policies ORDER BY seq DESC`)
  const active = database.prepare('SELECT revision, content FROM policies WHERE active = 1')
  const retire = database.prepare('UPDATE policies SET active = 0 WHERE active = 1')
  const activate = database.prepare('UPDATE policies SET active = 1 WHERE revision = ?')
  const insert = database.prepare(`
    INSERT INTO policies (revision, digest, content, pushed_at_ms, pushed_by) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (revision) DO NOTHING`)
  return {
    async activatePolicy({ revision, digest, content, pushedAtMs, pushedBy }) {
      return inTransaction(database, () => {
        insert.run(revision, digest, content, pushedAtMs, pushedBy)
        const stored = toRevision(find.get(revision)!)
        if (stored.digest !== digest) return stored
        retire.run()
        activate.run(revision)
        return { ...stored, active: true }
      })
    },
    async listPolicies() {
      return list.all().map(toRevision)
    },
    async activePolicy() {
      const row = active.get()
      return row && { revision: row['revision'] as string, content: Buffer.from(row['content'] as Uint8Array) }
    },
  }
}

function toRevision(row: Record<string, unknown>): PolicyRevision {
  return {
    revision: row['revision'] as string,
    digest: row['digest'] as string,
    bytes: row['bytes'] as number,
    pushedAtMs: row['pushed_at_ms'] as number,
    pushedBy: row['pushed_by'] as string,
    active: row['active'] === 1,
  }
}
