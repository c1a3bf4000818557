import { parseSpiffeId, type SpiffeId, type TrustDomain } from '@picket/identity'
import { isReservedId, isServiceName, MOST_IDENTITIES, type NearMiss } from '@picket/rpc'
import { messageOf } from '@picket/runtime'
import type { EntryStore } from './entries.ts'
import { expandTemplate, problem, type TemplateProblem } from './entry-template.ts'
import type { RegistrationEntry, StoredEntry } from './registration-entry.ts'
import { isLocalSelector } from '../attestors/selectors.ts'

/** One SPIFFE ID that an attestation gives, and what goes with it. */
export interface EntitledIdentity {
  /** Its templates are filled. */
  readonly entry: RegistrationEntry
  readonly spiffeId: SpiffeId
  readonly hint: string
  /** Of type unix alone: to which local processes the sidecar gives it; empty = to all. */
  readonly selectors: readonly string[]
  readonly federatesWith: readonly string[]
}

/** What facts lead to, and the matching entries that lead nowhere nevertheless. */
export interface Entitlement {
  /** Most selectors first, then the oldest. One SPIFFE ID is there twice when entries give it to different processes. */
  readonly identities: readonly EntitledIdentity[]
  readonly problems: readonly NearMiss[]
}

export interface EntitlementStore extends Pick<
  EntryStore,
  'matchEntries' | 'nearEntries' | 'similarEntries' | 'entriesFor'
> {
  /** The SPIFFE ID, other than this one, that has the service's name by an entry or by a live SVID. */
  serviceHolder(service: string, spiffeId: string, nowMs: number): Promise<string | undefined>
}

export async function findEntitlement(
  store: EntitlementStore,
  trustDomain: TrustDomain,
  facts: readonly string[],
  nowMs: number,
): Promise<Entitlement> {
  const identities = new Map<string, EntitledIdentity>()
  const problems: NearMiss[] = []
  const matches = await store.matchEntries(facts)
  for (const stored of matches.toSorted((a, b) => attestedOf(b).length - attestedOf(a).length)) {
    const entry = await resolve(stored)
    if ('kind' in entry) {
      problems.push(toNearMiss(stored, facts, entry.message))
      continue
    }
    const identity = toIdentity(entry)
    const key = JSON.stringify([entry.spiffeId.uri, identity.selectors])
    if (identities.has(key)) continue
    // A sidecar refuses a longer list as a whole, and would go on with the one before for ever.
    if (identities.size < MOST_IDENTITIES) identities.set(key, identity)
    else problems.push(toNearMiss(stored, facts, `${MOST_IDENTITIES} entries give these facts an identity already`))
  }
  return { identities: [...identities.values()], problems }

  async function resolve(stored: StoredEntry): Promise<RegistrationEntry | TemplateProblem> {
    const entry = resolveEntry(stored, trustDomain, facts)
    if ('kind' in entry || stored.service.places.length === 0) return entry
    const holder = await store.serviceHolder(entry.service, entry.spiffeId.uri, nowMs)
    return holder === undefined ? entry : problem(`${holder} is the service "${entry.service}" already`)
  }
}

/** The entry for these facts, its templates filled. */
function resolveEntry(
  stored: StoredEntry,
  trustDomain: TrustDomain,
  facts: readonly string[],
): RegistrationEntry | TemplateProblem {
  const uri = expandTemplate(stored.spiffeId, facts)
  if (typeof uri !== 'string') return uri
  const service = expandTemplate(stored.service, facts)
  if (typeof service !== 'string') return service
  const spiffeId = readId(uri)
  if ('kind' in spiffeId) return spiffeId
  if (spiffeId.trustDomain.name !== trustDomain.name || spiffeId.path === '' || isReservedId(spiffeId)) {
    return problem(`${uri} is under /picket/, or not in the trust domain ${trustDomain.name}`)
  }
  if (!isServiceName(service)) return problem(`"${service}" is not a service name: give the entry a service`)
  return { ...stored, spiffeId, service, ...(stored.service.places.length > 0 && { claimsService: true }) }
}

/** What of an entry the facts have and lack; `problem` for one whose selectors are all there. */
export function toNearMiss(entry: StoredEntry, facts: readonly string[], why = ''): NearMiss {
  const asked = attestedOf(entry)
  const proved = new Set(facts)
  return {
    entryId: entry.id,
    spiffeId: entry.spiffeId.text,
    matched: asked.filter((selector) => proved.has(selector)),
    missing: asked.filter((selector) => !proved.has(selector)),
    problem: why,
  }
}

function attestedOf({ selectors }: StoredEntry): readonly string[] {
  return selectors.filter((selector) => !isLocalSelector(selector))
}

function toIdentity(entry: RegistrationEntry): EntitledIdentity {
  const { spiffeId, hint, federatesWith } = entry
  return { entry, spiffeId, hint, selectors: entry.selectors.filter(isLocalSelector), federatesWith }
}

function readId(uri: string): SpiffeId | TemplateProblem {
  try {
    return parseSpiffeId(uri)
  } catch (thrown) {
    return problem(messageOf(thrown))
  }
}
