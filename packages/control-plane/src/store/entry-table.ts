import type { DatabaseSync } from 'node:sqlite'
import { parseSpiffeId } from '@picket/identity'
import type { EntryStore, RegistrationEntry } from '../entries.ts'
import { ControlPlaneError } from '../error.ts'
import { inTransaction } from './transaction.ts'

interface Row {
  readonly seq: number
  readonly id: string
  readonly spiffe_id: string
  readonly selectors: string
  readonly ttl_seconds: number
  readonly dns_names: string
  readonly service: string
  readonly created_at_ms: number
}

const COLUMNS = 'seq, id, spiffe_id, selectors, ttl_seconds, dns_names, service, created_at_ms'

export function createEntryTable(database: DatabaseSync): EntryStore {
  const insert = database.prepare(`
    INSERT INTO entries (id, spiffe_id, selectors, ttl_seconds, dns_names, service, created_at_ms, created_by)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)`)
  const insertSelector = database.prepare('INSERT INTO entry_selectors (selector, entry) VALUES (?, ?)')
  const twin = database.prepare('SELECT id FROM entries WHERE spiffe_id = ? AND selectors = ?')
  const namesake = database.prepare(`
    SELECT spiffe_id, service FROM entries WHERE (service = ?) <> (spiffe_id = ?) LIMIT 1`)
  const remove = database.prepare(`DELETE FROM entries WHERE id = ? RETURNING ${COLUMNS}`)
  const page = database.prepare(`SELECT ${COLUMNS} FROM entries WHERE seq > ? ORDER BY seq LIMIT ?`)
  const count = database.prepare('SELECT count(*) AS entries FROM entries')
  const sharing = `
    FROM entries JOIN entry_selectors ON entry = seq
    WHERE selector IN (SELECT value FROM json_each(?)) GROUP BY seq`
  const match = database.prepare(`
    SELECT ${COLUMNS} ${sharing} HAVING count(*) = json_array_length(selectors) ORDER BY seq`)
  const near = database.prepare(`
    SELECT ${COLUMNS} ${sharing} HAVING count(*) < json_array_length(selectors)
    ORDER BY json_array_length(selectors) - count(*), seq LIMIT ?`)

  return {
    async insertEntry(entry, createdBy) {
      const { id, spiffeId, selectors, ttlSeconds, dnsNames, service, createdAtMs } = entry
      const selectorsJson = JSON.stringify(selectors)
      inTransaction(database, () => {
        const same = twin.get(spiffeId.uri, selectorsJson)
        if (same) throw duplicate(`entry ${String(same['id'])} gives these selectors this SPIFFE ID already`)
        const other = namesake.get(service, spiffeId.uri)
        if (other) throw duplicate(`${String(other['spiffe_id'])} is the service "${String(other['service'])}" already`)
        const dnsJson = JSON.stringify(dnsNames)
        insert.run(id, spiffeId.uri, selectorsJson, ttlSeconds, dnsJson, service, createdAtMs, createdBy)
        const { seq } = database.prepare('SELECT last_insert_rowid() AS seq').get() as { seq: number }
        for (const selector of selectors) insertSelector.run(selector, seq)
      })
    },
    async deleteEntry(id) {
      const row = remove.get(id)
      return row && toEntry(row as unknown as Row)
    },
    async listEntries(limit, after) {
      const rows = page.all(after, limit) as unknown as readonly Row[]
      return rows.map((row) => ({ position: row.seq, entry: toEntry(row) }))
    },
    async matchEntries(facts) {
      return (match.all(JSON.stringify(facts)) as unknown as readonly Row[]).map(toEntry)
    },
    async nearEntries(facts, limit) {
      return (near.all(JSON.stringify(facts), limit) as unknown as readonly Row[]).map(toEntry)
    },
    async countEntries() {
      return (count.get() as { entries: number }).entries
    },
  }
}

function toEntry(row: Row): RegistrationEntry {
  return {
    id: row.id,
    spiffeId: parseSpiffeId(row.spiffe_id),
    selectors: JSON.parse(row.selectors) as string[],
    ttlSeconds: row.ttl_seconds,
    dnsNames: JSON.parse(row.dns_names) as string[],
    service: row.service,
    createdAtMs: row.created_at_ms,
  }
}

function duplicate(message: string): ControlPlaneError {
  return new ControlPlaneError('ERR_ENTRY_DUPLICATE', message)
}
