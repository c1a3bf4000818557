import type { DatabaseSync } from 'node:sqlite'
import { nearestName } from '@picket/runtime'
import type { EntryChanged, EntryStore, EntryWrite } from '../registration/entries.ts'
import { parseTemplate } from '../registration/entry-template.ts'
import { ControlPlaneError } from '../error.ts'
import type { ParsedDraft, StoredEntry } from '../registration/registration-entry.ts'
import { isLocalSelector } from '../attestors/selectors.ts'
import { inTransaction } from './transaction.ts'

interface Row {
  readonly seq: number
  readonly id: string
  readonly spiffe_id: string
  readonly selectors: string
  readonly ttl_seconds: number
  readonly dns_names: string
  readonly service: string
  readonly hint: string
  readonly federates_with: string
  readonly created_at_ms: number
  readonly updated_at_ms: number
  readonly revision: number
}

const COLUMNS = `seq, id, spiffe_id, selectors, ttl_seconds, dns_names, service, hint, federates_with, created_at_ms,
  updated_at_ms, revision`

/** Sets of facts whose matches are remembered: a mesh has few, each asked for again at every renewal. */
const REMEMBERED_MATCHES = 20_000

export function createEntryTable(database: DatabaseSync): EntryStore {
  const page = database.prepare(`SELECT ${COLUMNS} FROM entries WHERE seq > ? ORDER BY seq LIMIT ?`)
  const count = database.prepare('SELECT count(*) AS entries FROM entries')
  const match = database.prepare(`
    SELECT ${COLUMNS} FROM entries WHERE key_selector IN (SELECT value FROM json_each(?)) ORDER BY seq`)
  const named = database.prepare(`
    SELECT ${COLUMNS} FROM entries WHERE spiffe_id = ? OR instr(spiffe_id, '{') > 0 ORDER BY seq LIMIT ?`)
  const revisionOf = database.prepare("SELECT value FROM revisions WHERE name = 'entries'")
  const grow = database.prepare("UPDATE revisions SET value = value + 1 WHERE name = 'entries' RETURNING value")
  const near = createNearSearch(database)
  const similar = createSimilarSearch(database)
  const writer = createEntryWriter(database)
  const matched = new Map<string, readonly StoredEntry[]>()
  const revision = (): number => (revisionOf.get() as { value: number }).value

  return {
    async writeEntries(writes, { name, atMs, expectedRevision }) {
      const written = inTransaction(database, () => {
        if (expectedRevision !== 0 && expectedRevision !== revision()) {
          const message = `the entries are at revision ${revision()}, not ${expectedRevision}: plan again`
          throw new ControlPlaneError('ERR_ENTRIES_CHANGED', message)
        }
        if (writes.length === 0) return { revision: revision(), changed: [] }
        const { value } = grow.get() as { value: number }
        return { revision: value, changed: writer.write(writes, { name, atMs, revision: value }) }
      })
      matched.clear()
      return written
    },
    async listEntries(limit, after) {
      const rows = page.all(after, limit) as unknown as readonly Row[]
      return rows.map((row) => ({ position: row.seq, entry: toEntry(row) }))
    },
    async matchEntries(facts) {
      const key = JSON.stringify(facts)
      const found = matched.get(key) ?? (match.all(key) as unknown as Row[]).map(toEntry).filter(isMatchedBy(facts))
      matched.delete(key)
      matched.set(key, found)
      if (matched.size > REMEMBERED_MATCHES) matched.delete(matched.keys().next().value!)
      return found
    },
    async nearEntries(facts, limit) {
      return near(facts, limit)
    },
    async similarEntries(facts, limit) {
      return similar(facts, limit)
    },
    async entriesFor(spiffeId, limit) {
      return (named.all(spiffeId, limit) as unknown as readonly Row[]).map(toEntry)
    },
    async countEntries() {
      return (count.get() as { entries: number }).entries
    },
    async entriesRevision() {
      return revision()
    },
  }
}

function isMatchedBy(facts: readonly string[]): (entry: StoredEntry) => boolean {
  const proved = new Set(facts)
  return ({ selectors }) => selectors.every((selector) => isLocalSelector(selector) || proved.has(selector))
}

/** Entries looked at for one fact, and in all: whoever is refused chooses how often this is asked. */
const NEAR_CANDIDATES = { perFact: 64, most: 256 } as const

/** The entries that lack the fewest facts, among those found first for each fact; many may share a common one. */
function createNearSearch(database: DatabaseSync): (facts: readonly string[], limit: number) => StoredEntry[] {
  const sharing = database.prepare('SELECT entry FROM entry_selectors WHERE selector = ? LIMIT ?')
  const find = database.prepare(`SELECT ${COLUMNS} FROM entries WHERE seq = ?`)
  return (facts, limit) => {
    const found = facts.map((fact) => sharing.all(fact, NEAR_CANDIDATES.perFact) as { entry: number }[])
    const rarestFirst = found.toSorted((a, b) => a.length - b.length).flat()
    const candidates = [...new Set(rarestFirst.map(({ entry }) => entry))].slice(0, NEAR_CANDIDATES.most)
    const proved = new Set(facts)
    const lackedBy = ({ selectors }: StoredEntry): number =>
      selectors.filter((selector) => !isLocalSelector(selector) && !proved.has(selector)).length
    return candidates
      .map((seq) => ({ seq, entry: toEntry(find.get(seq) as unknown as Row) }))
      .map(({ seq, entry }) => ({ seq, entry, lacked: lackedBy(entry) }))
      .filter(({ lacked }) => lacked > 0)
      .sort((a, b) => a.lacked - b.lacked || a.seq - b.seq)
      .slice(0, limit)
      .map(({ entry }) => entry)
  }
}

/** What is compared letter by letter: facts, selectors of one type, characters of each. */
const SIMILAR = { facts: 8, selectors: 256, characters: 64 } as const

/** The entries under the selector that a fact was perhaps meant to be: of its type, and a slip of the pen away. */
function createSimilarSearch(database: DatabaseSync): (facts: readonly string[], limit: number) => StoredEntry[] {
  const ofType = database.prepare(
    'SELECT DISTINCT selector FROM entry_selectors WHERE selector >= ? AND selector < ? LIMIT ?',
  )
  const under = database.prepare(`
    SELECT ${COLUMNS} FROM entries WHERE seq IN (SELECT entry FROM entry_selectors WHERE selector = ?) ORDER BY seq LIMIT ?`)
  const isShort = (text: string): boolean => text.length <= SIMILAR.characters

  function meant(fact: string): string | undefined {
    const type = fact.slice(0, fact.indexOf(':'))
    const rows = ofType.all(`${type}:`, `${type};`, SIMILAR.selectors) as { selector: string }[]
    return nearestName(fact, rows.map(({ selector }) => selector).filter(isShort))
  }

  return (facts, limit) => {
    const meantByEach = facts.filter(isShort).slice(0, SIMILAR.facts).map(meant)
    const selectors = new Set(meantByEach.filter((selector) => selector !== undefined))
    const rows = [...selectors].flatMap((selector) => under.all(selector, limit) as unknown as readonly Row[])
    return rows.slice(0, limit).map(toEntry)
  }
}

/** More than so many under one selector are all the same. */
const KEYED_COUNTED = 64

interface WriteStamp {
  readonly name: string
  readonly atMs: number
  readonly revision: number
}

/**
 * Applies a set of writes inside a transaction. What must not be twice is judged at the end, when all of them are there:
 * entries may exchange their names in one set.
 */
function createEntryWriter(database: DatabaseSync): {
  write(writes: readonly EntryWrite[], by: WriteStamp): EntryChanged[]
} {
  const find = database.prepare(`SELECT ${COLUMNS} FROM entries WHERE id = ?`)
  const remove = database.prepare('DELETE FROM entries WHERE id = ?')
  const setAside = database.prepare("UPDATE entries SET spiffe_id = 'changing ' || id WHERE id = ?")
  const unselect = database.prepare('DELETE FROM entry_selectors WHERE entry = ?')
  const select = database.prepare('INSERT INTO entry_selectors (selector, entry) VALUES (?, ?)')
  const insert = database.prepare(`
    INSERT INTO entries (spiffe_id, selectors, attested, key_selector, ttl_seconds, dns_names, service, hint,
      federates_with, updated_at_ms, revision, id, created_at_ms, created_by)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
  const update = database.prepare(`
    UPDATE entries SET spiffe_id = ?, selectors = ?, attested = ?, key_selector = ?, ttl_seconds = ?, dns_names = ?, service = ?, hint = ?,
      federates_with = ?, updated_at_ms = ?, revision = ?
    WHERE id = ?`)
  const keyOf = createKeyChoice(database)
  const twin = database.prepare('SELECT id FROM entries WHERE spiffe_id = ? AND selectors = ? AND id <> ?')
  const namesake = database.prepare(`
    SELECT spiffe_id, service FROM entries WHERE service = ?1 AND spiffe_id <> ?2
    UNION ALL SELECT spiffe_id, service FROM entries WHERE spiffe_id = ?2 AND service <> ?1 LIMIT 1`)
  const read = (id: string): (StoredEntry & { readonly seq: number }) | undefined => {
    const row = find.get(id) as unknown as Row | undefined
    return row && { ...toEntry(row), seq: row.seq }
  }

  function writeOne(write: Exclude<EntryWrite, { kind: 'delete' }>, by: WriteStamp): StoredEntry {
    const { id, draft } = write
    const same = twin.get(draft.spiffeId.text, JSON.stringify(draft.selectors), id)
    if (same) throw duplicate(`entry ${String(same['id'])} gives these selectors this SPIFFE ID already`)
    const values = [...toValues(draft, keyOf(draft.selectors)), by.atMs, by.revision, id] as const
    if (write.kind === 'create') insert.run(...values, by.atMs, by.name)
    else update.run(...values)
    const written = read(id)!
    if (write.kind === 'update') unselect.run(written.seq)
    for (const selector of draft.selectors) if (!isLocalSelector(selector)) select.run(selector, written.seq)
    const { seq: _, ...entry } = written
    return entry
  }

  function checkNames({ service, spiffeId }: StoredEntry): void {
    const other = namesake.get(service.text, spiffeId.text)
    if (other) throw duplicate(`${String(other['spiffe_id'])} is the service "${String(other['service'])}" already`)
  }

  return {
    write(writes, by) {
      const before = new Map<EntryWrite, StoredEntry>()
      for (const write of writes) {
        if (write.kind === 'create') continue
        const { seq: _, ...present } = read(write.id) ?? missing(write.id)
        before.set(write, present)
        if (write.kind === 'delete') remove.run(write.id)
        else setAside.run(write.id)
      }
      const changed = writes.map((write): EntryChanged => {
        return { before: before.get(write), after: write.kind === 'delete' ? undefined : writeOne(write, by) }
      })
      for (const { after } of changed) if (after) checkNames(after)
      return changed
    },
  }
}

/** Chooses the attested selector under which the fewest entries are looked for already. */
function createKeyChoice(database: DatabaseSync): (selectors: readonly string[]) => string {
  const count = database.prepare(`
    SELECT count(*) AS keyed FROM (SELECT 1 FROM entries WHERE key_selector = ? LIMIT ${KEYED_COUNTED})`)
  return (selectors) => {
    let [best, fewest] = ['', Infinity]
    for (const selector of selectors) {
      if (isLocalSelector(selector)) continue
      const { keyed } = count.get(selector) as { keyed: number }
      if (keyed < fewest) [best, fewest] = [selector, keyed]
      if (keyed === 0) break
    }
    return best
  }
}

function toValues(draft: ParsedDraft, key: string): readonly (string | number)[] {
  const { spiffeId, selectors, ttlSeconds, dnsNames, service, hint, federatesWith } = draft
  return [
    spiffeId.text,
    JSON.stringify(selectors),
    selectors.filter((selector) => !isLocalSelector(selector)).length,
    key,
    ttlSeconds,
    JSON.stringify(dnsNames),
    service.text,
    hint,
    JSON.stringify(federatesWith),
  ]
}

function toEntry(row: Row): StoredEntry {
  return {
    id: row.id,
    spiffeId: parseTemplate(row.spiffe_id),
    selectors: JSON.parse(row.selectors) as string[],
    ttlSeconds: row.ttl_seconds,
    dnsNames: JSON.parse(row.dns_names) as string[],
    service: parseTemplate(row.service),
    hint: row.hint,
    federatesWith: JSON.parse(row.federates_with) as string[],
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms || row.created_at_ms,
    revision: row.revision,
  }
}

function missing(id: string): never {
  throw new ControlPlaneError('ERR_ENTRY_MISSING', `there is no entry ${JSON.stringify(id)}`)
}

function duplicate(message: string): ControlPlaneError {
  return new ControlPlaneError('ERR_ENTRY_DUPLICATE', message)
}
