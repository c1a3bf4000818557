import { createHash } from 'node:crypto'
import {
  encodeTrustBundle,
  parseTrustBundle,
  NO_REVOCATIONS,
  type BundleSource,
  type RevocationList,
  type SkippedKey,
  type TrustBundle,
} from '@picket/identity'
import type { Relationship, SetRelationshipRequest } from '@picket/rpc'
import {
  createWatch,
  jitter,
  messageOf,
  type Clock,
  type Logger,
  type Metrics,
  type Random,
  type Watch,
} from '@picket/runtime'
import { ControlPlaneError } from '../error.ts'
import { failFetch, type FetchFailure } from './federation-failure.ts'
import type { BundleFetcher } from './federation-fetcher.ts'
import {
  createMember,
  fromStored,
  toMessage,
  toMissing,
  toStored,
  type Member,
  type RelationshipStore,
} from './federation-member.ts'
import { createFederationMetrics, type FederationMetrics } from './federation-metrics.ts'
import { compareBundles, pollDelayMs, type BundleChange } from './federation-poll.ts'
import { invalid, parseFirstBundle, parseRelationship } from './federation-relationship.ts'

export interface FederationDeps {
  readonly store: RelationshipStore
  readonly clock: Pick<Clock, 'now' | 'after'>
  readonly random: Random
  readonly logger: Logger
  readonly metrics: Metrics
  /** This trust domain's own bundle: the endpoint of another may belong to us. */
  readonly own: Watch<TrustBundle>
  readonly revocations?: Watch<RevocationList>
  readonly fetch: BundleFetcher
}

/** A member that is looked after. */
interface Kept extends Member {
  /** Aborted when another takes its place, or none. */
  readonly retired: AbortController
  timer: Disposable | undefined
  fetching: Promise<void> | undefined
  /** Of the document that the bundle was read from. */
  digest: string | undefined
}

type Verdict = { kind: 'good'; bundle: TrustBundle; digest: string; change: BundleChange } | FetchFailure

const MAX_RELATIONSHIPS = 500
const JITTER = 0.1

/** Polls the endpoint of each relationship; one fetch of each at a time. */
export class FederationKeeper {
  readonly bundles = createWatch<ReadonlyMap<string, TrustBundle>>(new Map())
  readonly #members = new Map<string, Kept>()
  readonly #deps: FederationDeps
  readonly #minPollMs: number
  readonly #metrics: FederationMetrics
  readonly #source: BundleSource

  constructor(deps: FederationDeps, minPollMs: number) {
    this.#deps = deps
    this.#minPollMs = minPollMs
    this.#metrics = createFederationMetrics(deps, () => this.#members.values())
    this.#source = {
      bundleFor: ({ name }) =>
        name === deps.own.value.trustDomain.name ? deps.own.value : this.#members.get(name)?.bundle,
      get revocations() {
        return deps.revocations?.value ?? NO_REVOCATIONS
      },
    }
  }

  /** Takes up what the store holds; one relationship that does not read leaves the others be. */
  async load(): Promise<void> {
    const { store, own, logger } = this.#deps
    for (const stored of await store.loadRelationships()) {
      try {
        this.#keep(fromStored(stored, own.value.trustDomain))
      } catch (thrown) {
        logger.error('federation relationship is not used', {
          trustDomain: stored.trustDomain,
          error: messageOf(thrown),
        })
      }
    }
    this.#publish()
    for (const kept of this.#members.values()) this.#fetchInBackground(kept)
  }

  /** Resolves when the endpoint has been asked once; that it failed is in the answer. */
  async set(request: SetRelationshipRequest, by: string): Promise<Relationship> {
    const { store, clock, own, logger } = this.#deps
    const relationship = parseRelationship(request, own.value.trustDomain)
    const { name } = relationship.trustDomain
    const given = parseFirstBundle(request.bundle, relationship.trustDomain)
    const before = this.#members.get(name)
    if (!before && this.#members.size >= MAX_RELATIONSHIPS) throw invalid(`there are ${MAX_RELATIONSHIPS} already`)
    const member = given
      ? createMember(relationship, given)
      : createMember(relationship, before?.bundle, before?.fetchedAtMs)
    if (needsBundle(member)) throw invalid(`say with which bundle ${name} proves itself the first time: --bundle FILE`)
    const stored = toStored(member)
    await store.saveRelationship(stored, { atMs: clock.now(), by })
    logger.info('federation relationship set', { by, trustDomain: name, url: stored.url, profile: stored.profile })
    const kept = this.#keep(member)
    this.#publish()
    await this.#fetchOnce(kept)
    return toMessage(kept)
  }

  async delete(name: string, by: string): Promise<Relationship> {
    const kept = this.#find(name)
    await this.#deps.store.deleteRelationship(name)
    retire(kept)
    if (this.#members.get(name) === kept) this.#members.delete(name)
    this.#publish()
    this.#deps.logger.info('federation relationship deleted', { by, trustDomain: name })
    return toMessage(kept)
  }

  /** With the domains that entries federate with although there is no relationship: they are served without. */
  async list(): Promise<readonly Relationship[]> {
    const names = new Set([...this.#members.keys(), ...(await this.#deps.store.federatedNames())])
    return [...names].sort().map((name) => {
      const kept = this.#members.get(name)
      return kept ? toMessage(kept) : toMissing(name)
    })
  }

  /** Fetches, or waits for the fetch that is under way. */
  async refresh(name: string): Promise<Relationship> {
    const kept = this.#find(name)
    await this.#fetchOnce(kept)
    return toMessage(kept)
  }

  async stop(): Promise<void> {
    const all = [...this.#members.values()]
    for (const kept of all) retire(kept)
    await Promise.allSettled(all.map(async ({ fetching }) => fetching))
  }

  #find(name: string): Kept {
    const kept = this.#members.get(name)
    if (kept) return kept
    throw new ControlPlaneError('ERR_RELATIONSHIP_MISSING', `there is no relationship with ${name}`)
  }

  #keep(member: Member): Kept {
    const { name } = member.relationship.trustDomain
    const before = this.#members.get(name)
    if (before) retire(before)
    const kept: Kept = {
      ...member,
      retired: new AbortController(),
      timer: undefined,
      fetching: undefined,
      digest: undefined,
    }
    this.#members.set(name, kept)
    return kept
  }

  #fetchInBackground(kept: Kept): void {
    this.#fetchOnce(kept).catch((thrown: unknown) => {
      const { name: trustDomain } = kept.relationship.trustDomain
      this.#deps.logger.error('federated bundle is not kept', { trustDomain, error: messageOf(thrown) })
    })
  }

  #fetchOnce(kept: Kept): Promise<void> {
    kept.timer?.[Symbol.dispose]()
    return (kept.fetching ??= this.#fetch(kept).finally(() => {
      kept.fetching = undefined
      if (!kept.retired.signal.aborted) this.#schedule(kept)
    }))
  }

  #schedule(kept: Kept): void {
    const { clock, random } = this.#deps
    const delayMs = Math.max(this.#minPollMs, jitter(pollDelayMs(kept.bundle, this.#minPollMs), JITTER, random))
    kept.nextFetchAtMs = Math.round(clock.now() + delayMs)
    kept.timer = clock.after(delayMs, () => this.#fetchInBackground(kept))
  }

  async #fetch(kept: Kept): Promise<void> {
    const { relationship, retired } = kept
    const { name: trustDomain } = relationship.trustDomain
    const outcome = await this.#deps.fetch(relationship, this.#source, retired.signal)
    if (retired.signal.aborted) return
    const verdict = outcome.kind === 'failed' ? outcome : this.#judge(kept, outcome.body)
    kept.failure = verdict.kind === 'failed' ? verdict : undefined
    if (verdict.kind === 'good') return this.#take(kept, verdict)
    this.#metrics.failed(trustDomain, verdict.code)
    this.#deps.logger.warn('federated bundle is not fetched', {
      trustDomain,
      code: verdict.code,
      error: verdict.message,
    })
  }

  /** The same bytes again, which is what nearly every poll brings, are not read again. */
  #judge({ relationship: { trustDomain }, bundle, digest: known }: Kept, body: Buffer): Verdict {
    const digest = createHash('sha256').update(body).digest('base64')
    if (bundle && digest === known) return { kind: 'good', bundle, digest, change: 'none' }
    try {
      const onSkipped = (reason: SkippedKey): void => this.#metrics.skipped(trustDomain.name, reason)
      const fetched = parseTrustBundle(body, trustDomain, { onSkipped })
      const change = compareBundles(bundle, fetched)
      if (change !== 'rollback') return { kind: 'good', bundle: fetched, digest, change }
      return failFetch('rollback', `its sequence number is ${fetched.sequence}, after ${bundle?.sequence}`)
    } catch (thrown) {
      return failFetch('malformed', messageOf(thrown))
    }
  }

  /** In memory first: that the store fails must not keep a domain's newest keys, or their withdrawal, from anybody. */
  async #take(kept: Kept, { bundle, digest, change }: Verdict & { kind: 'good' }): Promise<void> {
    const { store, clock, logger } = this.#deps
    const { name: trustDomain } = bundle.trustDomain
    kept.fetchedAtMs = clock.now()
    kept.digest = digest
    if (change === 'none') return store.saveFetch(trustDomain, kept.fetchedAtMs)
    kept.bundle = bundle
    this.#publish()
    const { sequence, x509Authorities, jwtAuthorities } = bundle
    const authorities = x509Authorities.length + jwtAuthorities.length
    const isOdd = change === 'same-sequence' || authorities === 0
    logger[isOdd ? 'warn' : 'info']('federated bundle taken', { trustDomain, sequence, authorities, change })
    await store.saveFetch(trustDomain, kept.fetchedAtMs, encodeTrustBundle(bundle))
  }

  #publish(): void {
    const held = [...this.#members].flatMap(([name, { bundle }]) => (bundle ? [[name, bundle] as const] : []))
    const { value } = this.bundles
    if (held.length === value.size && held.every(([name, bundle]) => value.get(name) === bundle)) return
    this.bundles.set(new Map(held))
  }
}

/** An endpoint of the domain itself proves itself with the bundle that is being fetched. */
function needsBundle({ relationship: { trustDomain, profile }, bundle }: Member): boolean {
  if (profile.kind === 'https_web' || bundle) return false
  return profile.endpointId.trustDomain.name === trustDomain.name
}

function retire(kept: Kept): void {
  kept.timer?.[Symbol.dispose]()
  kept.retired.abort()
}
