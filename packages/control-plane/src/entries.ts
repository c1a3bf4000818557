import { parseSpiffeId, type SpiffeId, type TrustDomain } from '@picket/identity'
import { isReservedId, isServiceName, type Entry, type EntryDraft, type ListEntriesResponse } from '@picket/rpc'
import { createWatch, messageOf, type Clock, type Random, type Watch } from '@picket/runtime'
import { ControlPlaneError } from './error.ts'
import { missingSelectors, parseSelectors } from './selectors.ts'
import type { Database } from './store/database.ts'

/** The registration entries: which proven facts give which SPIFFE ID. */
export interface Entries {
  /** Throws `ERR_ENTRY`, `ERR_SELECTOR` or `ERR_ENTRY_DUPLICATE`; nothing is stored then. */
  create(draft: EntryDraft): Entry
  /** Throws `ERR_ENTRY_NOT_FOUND`. */
  delete(id: string): Entry
  /** In order of creation; `pageToken` is the last id of the page before. */
  list(pageSize: number, pageToken: string): ListEntriesResponse
  /** Entries whose selectors are all among `facts`, the most specific (most selectors) first. */
  matching(facts: readonly string[]): readonly Entry[]
  forSpiffeId(id: SpiffeId): readonly Entry[]
  readonly count: number
  /** Counts up with each change. */
  readonly changes: Watch<number>
}

const MAX_TTL_SECONDS = 24 * 3600
const MIN_TTL_SECONDS = 5
const MAX_DNS_NAMES = 16
const DNS_NAME = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/

export function createEntries(
  database: Database,
  trustDomain: TrustDomain,
  deps: { clock: Clock; random: Random },
): Entries {
  const { sql } = database
  const insert = sql.prepare('INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)')
  const byId = sql.prepare('SELECT * FROM entries WHERE id = ?')
  const bySpiffeId = sql.prepare('SELECT * FROM entries WHERE spiffe_id = ? ORDER BY created_at_ms, id')
  const all = sql.prepare('SELECT * FROM entries ORDER BY created_at_ms, id')
  const remove = sql.prepare('DELETE FROM entries WHERE id = ?')
  const page = sql.prepare(`
    SELECT * FROM entries
    WHERE (created_at_ms, id) > (SELECT coalesce(max(created_at_ms), -1), ? FROM entries WHERE id = ?)
    ORDER BY created_at_ms, id LIMIT ?`)
  const counted = sql.prepare('SELECT count(*) AS count FROM entries')
  const changes = createWatch(0)

  /** All entries in memory, read again only after a change: attestation asks for them on every call. */
  let cache: readonly Entry[] | undefined
  const entries = (): readonly Entry[] => (cache ??= all.all().map(toEntry))
  const changed = (): void => {
    cache = undefined
    changes.set(changes.value + 1)
  }

  return {
    changes,
    get count() {
      return Number(counted.get()?.['count'])
    },
    create(draft) {
      const entry = { ...parseDraft(draft, trustDomain), id: deps.random.uuid(), createdAtMs: deps.clock.now() }
      const { id, spiffeId, selectors, ttlSeconds, dnsNames, service, createdAtMs } = entry
      const twin = bySpiffeId.all(spiffeId).find((row) => row['selectors'] === JSON.stringify(selectors))
      if (twin) {
        throw new ControlPlaneError(
          'ERR_ENTRY_DUPLICATE',
          `entry ${String(twin['id'])} already gives ${spiffeId} for these selectors`,
        )
      }
      insert.run(id, spiffeId, JSON.stringify(selectors), ttlSeconds, JSON.stringify(dnsNames), service, createdAtMs)
      changed()
      return entry
    },
    delete(id) {
      const row = byId.get(id)
      if (!row) throw new ControlPlaneError('ERR_ENTRY_NOT_FOUND', `there is no entry "${id.slice(0, 80)}"`)
      remove.run(id)
      changed()
      return toEntry(row)
    },
    list(pageSize, pageToken) {
      const size = pageSize === 0 ? 500 : Math.min(pageSize, 1000)
      const found = page.all(pageToken, pageToken, size + 1).map(toEntry)
      const shown = found.slice(0, size)
      return { entries: shown, nextPageToken: found.length > size ? (shown.at(-1)?.id ?? '') : '' }
    },
    matching: (facts) =>
      entries()
        .filter(({ selectors }) => missingSelectors(selectors, facts).length === 0)
        .sort((a, b) => b.selectors.length - a.selectors.length),
    forSpiffeId: (id) => entries().filter(({ spiffeId }) => spiffeId === id.uri),
  }
}

/** Checks each field and fills in the service name. */
function parseDraft(draft: EntryDraft, trustDomain: TrustDomain): EntryDraft {
  const id = parseEntryId(draft.spiffeId, trustDomain)
  const service = draft.service === '' ? id.path.slice(id.path.lastIndexOf('/') + 1).toLowerCase() : draft.service
  if (!isServiceName(service)) {
    throw fieldError(
      'service',
      `"${service.slice(0, 80)}" cannot stand before .mesh: use a-z, 0-9, "-" and "_", at most 63`,
    )
  }
  const { ttlSeconds } = draft
  if (
    ttlSeconds !== 0 &&
    (!Number.isInteger(ttlSeconds) || ttlSeconds < MIN_TTL_SECONDS || ttlSeconds > MAX_TTL_SECONDS)
  ) {
    throw fieldError('ttl', `${ttlSeconds} s is not between ${MIN_TTL_SECONDS} s and ${MAX_TTL_SECONDS} s`)
  }
  if (draft.dnsNames.length > MAX_DNS_NAMES) throw fieldError('dns names', `more than ${MAX_DNS_NAMES}`)
  const badName = draft.dnsNames.find((name) => !DNS_NAME.test(name))
  if (badName !== undefined) throw fieldError('dns names', `"${badName.slice(0, 80)}" is not a lower-case DNS name`)
  const { dnsNames } = draft
  return { spiffeId: id.uri, selectors: parseSelectors(draft.selectors), ttlSeconds, dnsNames, service }
}

function parseEntryId(uri: string, trustDomain: TrustDomain): SpiffeId {
  let id: SpiffeId
  try {
    id = parseSpiffeId(uri)
  } catch (cause) {
    throw new ControlPlaneError('ERR_ENTRY', `spiffe id: ${messageOf(cause)}`, { cause })
  }
  if (id.trustDomain.name !== trustDomain.name) {
    throw fieldError('spiffe id', `${id.uri} is not in this trust domain: it starts with ${trustDomain.id}/`)
  }
  if (id.path === '') throw fieldError('spiffe id', `${id.uri} has no path: a workload's ID needs one (X509-SVID 2)`)
  if (isReservedId(id)) throw fieldError('spiffe id', 'IDs under /picket/ are kept for Picket itself')
  return id
}

function fieldError(field: string, problem: string): ControlPlaneError {
  return new ControlPlaneError('ERR_ENTRY', `${field}: ${problem}`)
}

function toEntry(row: Record<string, unknown>): Entry {
  return {
    id: String(row['id']),
    spiffeId: String(row['spiffe_id']),
    selectors: JSON.parse(String(row['selectors'])) as string[],
    ttlSeconds: Number(row['ttl_seconds']),
    dnsNames: JSON.parse(String(row['dns_names'])) as string[],
    service: String(row['service']),
    createdAtMs: Number(row['created_at_ms']),
  }
}
