import { parseSpiffeId, type SpiffeId, type TrustDomain } from '@picket/identity'
import {
  isReservedId,
  isServiceName,
  type Entry,
  type EntryDraft,
  type ListEntriesResponse,
  type PageRequest,
} from '@picket/rpc'
import { messageOf, type Clock, type Logger, type Random } from '@picket/runtime'
import { ControlPlaneError } from './error.ts'
import { parseSelectors } from './selectors.ts'

/** Who may be who: a workload that has proved all of `selectors` is `spiffeId`. */
export interface RegistrationEntry {
  readonly id: string
  readonly spiffeId: SpiffeId
  /** Sorted, no two alike, at least one. */
  readonly selectors: readonly string[]
  /** 0 = the control plane's default. */
  readonly ttlSeconds: number
  readonly dnsNames: readonly string[]
  readonly service: string
  readonly createdAtMs: number
}

export interface EntryStore {
  /** Throws `ERR_ENTRY_DUPLICATE` when there is one, in the same transaction as the check. */
  insertEntry(entry: RegistrationEntry, createdBy: string): Promise<void>
  /** Resolves with what was there. */
  deleteEntry(id: string): Promise<RegistrationEntry | undefined>
  /** In order of creation, after the position `after` (0 = from the start). */
  listEntries(limit: number, after: number): Promise<readonly { position: number; entry: RegistrationEntry }[]>
  /** All whose every selector is among `facts`. */
  matchEntries(facts: readonly string[]): Promise<readonly RegistrationEntry[]>
  /** Those that share a selector with `facts` but ask for more, for the record of a denial. */
  nearEntries(facts: readonly string[], limit: number): Promise<readonly RegistrationEntry[]>
  countEntries(): Promise<number>
}

export interface Entries {
  create(draft: EntryDraft, by: string): Promise<Entry>
  delete(id: string, by: string): Promise<Entry>
  list(request: PageRequest): Promise<ListEntriesResponse>
}

const PAGE = { usual: 500, largest: 1000 } as const
const TTL_SECONDS = { least: 5, most: 24 * 3600 } as const
const MOST_DNS_NAMES = 16

interface EntriesDeps {
  readonly store: EntryStore
  readonly clock: Pick<Clock, 'now'>
  readonly random: Pick<Random, 'uuid'>
  readonly logger: Logger
}

export function createEntries(deps: EntriesDeps, trustDomain: TrustDomain): Entries {
  const { store, logger } = deps
  return {
    async create(draft, by) {
      const parsed = parseEntryDraft(draft, trustDomain)
      const entry = { ...parsed, id: deps.random.uuid(), createdAtMs: deps.clock.now() }
      await store.insertEntry(entry, by)
      logger.info('entry created', { by, id: entry.id, spiffeId: entry.spiffeId.uri, selectors: entry.selectors })
      return toMessage(entry)
    },
    async delete(id, by) {
      const entry = await store.deleteEntry(id)
      if (!entry) throw new ControlPlaneError('ERR_ENTRY_MISSING', 'there is no entry with this id')
      logger.info('entry deleted', { by, id, spiffeId: entry.spiffeId.uri, selectors: entry.selectors })
      return toMessage(entry)
    },
    async list({ pageSize, pageToken }) {
      const limit = Math.min(pageSize || PAGE.usual, PAGE.largest)
      const rows = await store.listEntries(limit + 1, parsePageToken(pageToken))
      const page = rows.slice(0, limit)
      const nextPageToken = rows.length > limit ? String(page.at(-1)!.position) : ''
      return { entries: page.map(({ entry }) => toMessage(entry)), nextPageToken, revision: 0 }
    },
  }
}

export function toMessage({ spiffeId, ...entry }: RegistrationEntry): Entry {
  return { ...entry, spiffeId: spiffeId.uri, hint: '', federatesWith: [], updatedAtMs: entry.createdAtMs }
}

function parsePageToken(token: string): number {
  if (token === '') return 0
  const position = /^\d{1,15}$/.test(token) ? Number(token) : 0
  if (position === 0) throw new ControlPlaneError('ERR_PAGE', 'page_token is not one that was given out')
  return position
}

type ParsedDraft = Omit<RegistrationEntry, 'id' | 'createdAtMs'>

/** Throws `ERR_ENTRY_INVALID` with every problem, each with its field. */
export function parseEntryDraft(draft: EntryDraft, trustDomain: TrustDomain): ParsedDraft {
  const problems: string[] = []
  const spiffeId = parseWorkloadId(draft.spiffeId, trustDomain, problems)
  const selectors = parseSelectors(draft.selectors, problems)
  const { ttlSeconds } = draft
  if (ttlSeconds !== 0 && !(ttlSeconds >= TTL_SECONDS.least && ttlSeconds <= TTL_SECONDS.most)) {
    problems.push(`ttl_seconds: ${ttlSeconds} is not between ${TTL_SECONDS.least} and ${TTL_SECONDS.most}`)
  }
  const dnsNames = parseDnsNames(draft.dnsNames, problems)
  const service = draft.service || (spiffeId?.path.split('/').at(-1) ?? '')
  if (spiffeId && !isServiceName(service)) {
    const hint = draft.service === '' ? ': the last segment of the SPIFFE ID is none, so give one' : ''
    problems.push(`service: "${service}" is not a service name (lower-case letters, digits, - and _)${hint}`)
  }
  if (!spiffeId || problems.length > 0) throw new ControlPlaneError('ERR_ENTRY_INVALID', problems.join('\n'))
  return { spiffeId, selectors, ttlSeconds, dnsNames, service }
}

function parseWorkloadId(uri: string, trustDomain: TrustDomain, problems: string[]): SpiffeId | undefined {
  try {
    const id = parseSpiffeId(uri)
    const problem =
      id.trustDomain.name !== trustDomain.name
        ? `${uri} is not in the trust domain ${trustDomain.name}`
        : id.path === ''
          ? `${uri} has no path, so it names no workload`
          : isReservedId(id)
            ? `${uri} is under /picket/, which Picket keeps for itself`
            : undefined
    if (problem === undefined) return id
    problems.push(`spiffe_id: ${problem}`)
  } catch (thrown) {
    problems.push(`spiffe_id: ${messageOf(thrown)}`)
  }
  return undefined
}

/** Lower-case host names without wildcards (RFC 1123 labels), at most 253 characters. */
function parseDnsNames(names: readonly string[], problems: string[]): readonly string[] {
  if (names.length > MOST_DNS_NAMES) problems.push(`dns_names: more than ${MOST_DNS_NAMES}`)
  for (const [index, name] of names.entries()) {
    const isName =
      name.length <= 253 &&
      /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(name)
    if (!isName) problems.push(`dns_names[${index}]: "${name}" is not a lower-case host name`)
  }
  return [...new Set(names)]
}
