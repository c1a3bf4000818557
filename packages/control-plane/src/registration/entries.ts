import type { TrustDomain } from '@picket/identity'
import type {
  ApplyEntriesRequest,
  ApplyEntriesResponse,
  Entry,
  EntryChange,
  EntryDraft,
  ListEntriesResponse,
  PageRequest,
} from '@picket/rpc'
import type { Clock, Logger, Random } from '@picket/runtime'
import { parseEntryDraft } from './entry-draft.ts'
import { ControlPlaneError } from '../error.ts'
import type { ParsedDraft, StoredEntry } from './registration-entry.ts'

export type EntryWrite =
  | { readonly kind: 'create'; readonly id: string; readonly draft: ParsedDraft }
  | { readonly kind: 'update'; readonly id: string; readonly draft: ParsedDraft }
  | { readonly kind: 'delete'; readonly id: string }

/** One entry's change; `before` is missing when it was created, `after` when it is gone. */
export interface EntryChanged {
  readonly before: StoredEntry | undefined
  readonly after: StoredEntry | undefined
}

export interface EntryStore {
  /**
   * All writes in one transaction; the revision grows by one. Throws `ERR_ENTRIES_CHANGED` when `expectedRevision` (0 =
   * any) is not the present one, `ERR_ENTRY_DUPLICATE`, `ERR_ENTRY_MISSING`.
   */
  writeEntries(
    writes: readonly EntryWrite[],
    by: { readonly name: string; readonly atMs: number; readonly expectedRevision: number },
  ): Promise<{ readonly revision: number; readonly changed: readonly EntryChanged[] }>
  /** In order of creation, after the position `after` (0 = from the start). */
  listEntries(limit: number, after: number): Promise<readonly { position: number; entry: StoredEntry }[]>
  /** All whose every attested selector is among `facts`, in order of creation. */
  matchEntries(facts: readonly string[]): Promise<readonly StoredEntry[]>
  /** Those that share a selector with `facts` but ask for more, the nearest first. */
  nearEntries(facts: readonly string[], limit: number): Promise<readonly StoredEntry[]>
  /** Those that ask for a fact which one of `facts` may be a misspelling of. */
  similarEntries(facts: readonly string[], limit: number): Promise<readonly StoredEntry[]>
  /** Those with this SPIFFE ID in full, and those with a template, in order of creation. */
  entriesFor(spiffeId: string, limit: number): Promise<readonly StoredEntry[]>
  countEntries(): Promise<number>
  /** Grows with each change. */
  entriesRevision(): Promise<number>
}

export interface Entries {
  create(draft: EntryDraft, by: string): Promise<Entry>
  delete(id: string, by: string): Promise<Entry>
  list(request: PageRequest): Promise<ListEntriesResponse>
  /** All of the changes or none. */
  apply(request: ApplyEntriesRequest, by: string): Promise<ApplyEntriesResponse>
}

const PAGE = { usual: 500, largest: 1000 } as const

export interface EntriesDeps {
  readonly store: EntryStore
  readonly clock: Pick<Clock, 'now'>
  readonly random: Pick<Random, 'uuid'>
  readonly logger: Logger
}

type Written = Awaited<ReturnType<EntryStore['writeEntries']>>

export function createEntries(deps: EntriesDeps, trustDomain: TrustDomain): Entries {
  const { store, logger } = deps

  async function write(writes: readonly EntryWrite[], name: string, expectedRevision = 0): Promise<Written> {
    const by = { name, atMs: deps.clock.now(), expectedRevision }
    return record(await store.writeEntries(writes, by), name)
  }

  function record(written: Written, by: string): Written {
    const { changed, revision } = written
    for (const { before, after } of changed) {
      const entry = (after ?? before)!
      const what = before === undefined ? 'entry created' : after === undefined ? 'entry deleted' : 'entry changed'
      const { id, selectors } = entry
      logger.info(what, { by, id, spiffeId: entry.spiffeId.text, selectors, revision })
    }
    return written
  }

  return {
    async create(draft, by) {
      const parsed = parseEntryDraft(draft, trustDomain)
      const { changed } = await write([{ kind: 'create', id: deps.random.uuid(), draft: parsed }], by)
      return toMessage(changed[0]!.after!)
    },
    async delete(id, by) {
      const { changed } = await write([{ kind: 'delete', id }], by)
      return toMessage(changed[0]!.before!)
    },
    async apply({ changes, expectedRevision }, by) {
      const { changed, revision } = await write(parseChanges(changes, trustDomain, deps.random), by, expectedRevision)
      const created = changed.filter(({ before }) => before === undefined).length
      const deleted = changed.filter(({ after }) => after === undefined).length
      return { created, deleted, updated: changed.length - created - deleted, revision }
    },
    async list({ pageSize, pageToken }) {
      const limit = Math.min(pageSize || PAGE.usual, PAGE.largest)
      const rows = await store.listEntries(limit + 1, parsePageToken(pageToken))
      const page = rows.slice(0, limit)
      const nextPageToken = rows.length > limit ? String(page.at(-1)!.position) : ''
      return {
        entries: page.map(({ entry }) => toMessage(entry)),
        nextPageToken,
        revision: await store.entriesRevision(),
      }
    },
  }
}

const MOST_REPORTED = 20

/** Throws `ERR_ENTRY_INVALID` with the problems of all changes, each with its place in the list. */
function parseChanges(
  changes: readonly EntryChange[],
  trustDomain: TrustDomain,
  random: Pick<Random, 'uuid'>,
): EntryWrite[] {
  const problems: string[] = []
  const touched = new Set<string>()
  const writes = changes.flatMap((change, index): EntryWrite[] => {
    const id = change.kind === 'create' ? random.uuid() : change.id
    if (touched.has(id)) problems.push(`changes[${index}]: the entry ${id} is changed twice`)
    touched.add(id)
    if (change.kind === 'delete') return [{ kind: 'delete', id }]
    try {
      return [{ kind: change.kind, id, draft: parseEntryDraft(change.draft, trustDomain) }]
    } catch (thrown) {
      if (!(thrown instanceof ControlPlaneError)) throw thrown
      problems.push(...thrown.message.split('\n').map((line) => `changes[${index}].${line}`))
      return []
    }
  })
  if (problems.length === 0) return writes
  const more = problems.length > MOST_REPORTED ? [`and ${problems.length - MOST_REPORTED} more`] : []
  throw new ControlPlaneError('ERR_ENTRY_INVALID', [...problems.slice(0, MOST_REPORTED), ...more].join('\n'))
}

export function toMessage({ spiffeId, service, ...rest }: StoredEntry): Entry {
  const { id, selectors, ttlSeconds, dnsNames, hint, federatesWith, createdAtMs, updatedAtMs } = rest
  const written = {
    spiffeId: spiffeId.text,
    selectors,
    ttlSeconds,
    dnsNames,
    service: service.text,
    hint,
    federatesWith,
  }
  return { id, ...written, createdAtMs, updatedAtMs }
}

function parsePageToken(token: string): number {
  if (token === '') return 0
  const position = /^\d{1,15}$/.test(token) ? Number(token) : 0
  if (position === 0) throw new ControlPlaneError('ERR_PAGE', 'page_token is not one that was given out')
  return position
}
