import type { KeyAlgorithm, SpiffeId, X509Svid } from '@picket/identity'
import type { IdentityRecord } from '@picket/rpc'
import { createTasks, createWatch, type Tasks, type Watch, type WatchSource } from '@picket/runtime'
import { createSvidRotation, type SvidIssuer, type SvidRotation, type SvidRotationDeps } from './svid-rotation.ts'

/** One identity that workloads behind this sidecar may be given. */
export interface WorkloadIdentity {
  readonly svid: X509Svid
  readonly hint: string
  /** Of type `unix`; the same SPIFFE ID may be there twice, for different processes. */
  readonly selectors: readonly string[]
  readonly federatesWith: readonly string[]
}

/** Every SVID of this sidecar, each renewed by itself. */
export interface Identities {
  /** The default identity's: what this sidecar authenticates with. */
  readonly svid: Watch<X509Svid>
  /** The default one first; those whose first SVID is still on its way are not there, nor those on the deny-list. */
  readonly identities: Watch<readonly WorkloadIdentity[]>
  /** One to a SPIFFE ID, the default one first. */
  readonly svids: readonly X509Svid[]
  /** Successful renewals of the default identity. */
  readonly rotations: number
  /**
   * The control plane takes this sidecar for nobody: nothing more is given to workloads until it says otherwise. The SVID of
   * the default identity stays as it is, for the mesh to judge.
   */
  withdraw(): void
  /** Renews all of them, spread over `withinMs`. */
  rotateNow(withinMs: number): void
  run(signal: AbortSignal): Promise<void>
}

export interface IdentitiesDeps extends Omit<
  SvidRotationDeps,
  'svid' | 'replace' | 'id' | 'issuer' | 'keyAlgorithm' | 'keyPair'
> {
  /** For the default identity: by the SVID held, else by evidence. */
  readonly issuer: SvidIssuer
  /** For further identities: by the default identity's SVID alone. */
  readonly furtherIssuer: SvidIssuer
  readonly entitled: Watch<readonly IdentityRecord[]>
  /** An SVID is new, or gone. */
  readonly changed: () => void
}

export interface HeldSvids {
  readonly svid: WatchSource<X509Svid>
  /** Of further identities, from before a restart. */
  readonly further: readonly X509Svid[]
}

/** An entry that was changed is changed for many sidecars: they do not all ask for their new SVIDs in one instant. */
const SPREAD_MS = 250

/**
 * Keeps one SVID for each SPIFFE ID that the control plane lists: what is added is asked for at once, what is withdrawn is
 * dropped at once, and an SVID whose entry has changed (names, life, key algorithm) is renewed.
 */
export function createIdentities(deps: IdentitiesDeps, held: HeldSvids): Identities {
  return new Keeper(deps, held)
}

class Keeper implements Identities {
  readonly svid: WatchSource<X509Svid>
  readonly identities = createWatch<readonly WorkloadIdentity[]>([])
  readonly #deps: IdentitiesDeps
  readonly #rotation: SvidRotation
  readonly #others = new Map<string, Member>()
  /** What the entries said when the SVID held was asked for, by SPIFFE ID. */
  readonly #askedUnder = new Map<string, string>()
  #tasks: Tasks | undefined
  #isWithdrawn = false

  constructor(deps: IdentitiesDeps, { svid, further }: HeldSvids) {
    this.svid = svid
    this.#deps = deps
    const id = (): SpiffeId => this.#records[0]?.spiffeId ?? svid.value.id
    this.#rotation = this.#createRotation(deps.issuer, svid, id)
    this.#follow(further)
  }

  get svids(): readonly X509Svid[] {
    return [this.svid.value, ...[...this.#others.values()].flatMap((member) => member.svid.value ?? [])]
  }

  get rotations(): number {
    return this.#rotation.rotations
  }

  withdraw(): void {
    this.#isWithdrawn = true
    this.#publish()
  }

  rotateNow(withinMs: number): void {
    this.#rotation.rotateNow(withinMs)
    for (const member of this.#others.values()) member.rotation.rotateNow(withinMs)
  }

  async run(signal: AbortSignal): Promise<void> {
    await using tasks = createTasks(signal)
    using _followed = this.#deps.entitled.subscribe(() => this.#follow())
    using _verified = this.#deps.bundles.subscribe(() => this.#publish())
    this.#tasks = tasks
    for (const [uri, member] of this.#others) start(tasks, uri, member)
    tasks.start('svid rotation', (ending) => this.#rotation.run(ending))
    await Promise.race([ended(signal), tasks.failed])
    this.#tasks = undefined
  }

  get #records(): readonly IdentityRecord[] {
    return this.#deps.entitled.value
  }

  #createRotation(issuer: SvidIssuer, svid: WatchSource<X509Svid> | Member['svid'], id: () => SpiffeId): SvidRotation {
    return createSvidRotation({
      ...this.#deps,
      issuer,
      svid,
      id,
      keyAlgorithm: () => {
        const { uri } = id()
        this.#askedUnder.set(uri, wordsFor(this.#records, uri))
        return keyAlgorithmFor(this.#records, uri)
      },
      replace: (next) => {
        svid.set(next)
        this.#isWithdrawn = false
        this.#renewOutdated() // the entry may have changed while the SVID was on its way
        this.#publish()
        this.#deps.changed()
      },
    })
  }

  #follow(held: readonly X509Svid[] = []): void {
    this.#isWithdrawn = false
    const [first] = this.#records
    if (!first) return this.#publish()
    this.#moveDefault(first.spiffeId)
    const wanted = new Map(this.#records.map(({ spiffeId }) => [spiffeId.uri, spiffeId]))
    wanted.delete(first.spiffeId.uri)
    for (const uri of this.#others.keys()) if (!wanted.has(uri)) this.#drop(uri)
    for (const [uri, id] of wanted) {
      if (!this.#others.has(uri)) {
        this.#add(
          id,
          held.find((one) => one.id.uri === uri),
        )
      }
    }
    this.#renewOutdated()
    this.#publish()
    this.#deps.changed()
  }

  /** The default identity may have become another one: what is held of either is kept. */
  #moveDefault(wanted: SpiffeId): void {
    const before = this.svid.value
    if (before.id.uri === wanted.uri) return
    const next = this.#others.get(wanted.uri)?.svid.value
    this.#drop(wanted.uri)
    if (this.#records.some(({ spiffeId }) => spiffeId.uri === before.id.uri)) this.#add(before.id, before)
    if (next) this.svid.set(next)
    else this.#rotation.rotateNow()
  }

  #add(id: SpiffeId, held: X509Svid | undefined): void {
    const svid = createWatch(held)
    const rotation = this.#createRotation(this.#deps.furtherIssuer, svid, () => id)
    const member = { svid, rotation, end: new AbortController() }
    this.#others.set(id.uri, member)
    if (this.#tasks) start(this.#tasks, id.uri, member)
  }

  #drop(uri: string): void {
    this.#others.get(uri)?.end.abort()
    this.#others.delete(uri)
    this.#askedUnder.delete(uri)
  }

  /** Renews each SVID that its entry would no longer have made so. */
  #renewOutdated(): void {
    const members = [{ svid: this.svid, rotation: this.#rotation }, ...this.#others.values()]
    for (const { svid, rotation } of members) {
      const [leaf] = svid.value?.chain ?? []
      const uri = svid.value?.id.uri
      if (!leaf || uri === undefined) continue
      const words = wordsFor(this.#records, uri)
      if (!this.#askedUnder.has(uri)) this.#askedUnder.set(uri, words)
      const isOutdated =
        this.#askedUnder.get(uri) !== words || leaf.keyAlgorithm !== keyAlgorithmFor(this.#records, uri)
      if (words !== '' && isOutdated) rotation.rotateNow(SPREAD_MS)
    }
  }

  /** By what the chain says of its authority: the SVID was verified when it came. */
  #isRevoked({ id, chain }: X509Svid): boolean {
    const source = this.#deps.bundles.value
    const { revocations } = source
    if (!revocations || revocations.subjects.length === 0) return false
    const authorityKeyId = chain.at(-1)?.authorityKeyId
    const authorities = source.bundleFor(id.trustDomain)?.x509Authorities ?? []
    const above = authorities.filter(({ subjectKeyId }) => subjectKeyId === authorityKeyId)
    return revocations.findX509(id, [...chain, ...above]) !== undefined
  }

  #publish(): void {
    const all = this.#isWithdrawn ? [] : toIdentities(this.#records, this.svid.value, this.#others)
    const next = all.filter(({ svid }) => !this.#isRevoked(svid))
    if (!isSame(next, this.identities.value)) this.identities.set(next)
  }
}

interface Member {
  readonly svid: WatchSource<X509Svid | undefined>
  readonly rotation: SvidRotation
  readonly end: AbortController
}

function start(tasks: Tasks, uri: string, { rotation, end }: Member): void {
  tasks.start(`svid rotation of ${uri}`, (signal) => rotation.run(AbortSignal.any([signal, end.signal])))
}

function ended(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

function keyAlgorithmFor(records: readonly IdentityRecord[], uri: string): KeyAlgorithm {
  return records.find(({ spiffeId }) => spiffeId.uri === uri)?.keyAlgorithm ?? 'ec-p256'
}

/** What the entries of a SPIFFE ID say that goes into its SVID; '' for one that has none. */
function wordsFor(records: readonly IdentityRecord[], uri: string): string {
  const own = records.filter(({ spiffeId }) => spiffeId.uri === uri)
  return own.map(({ ttlSeconds, dnsNames }) => `${ttlSeconds} ${dnsNames.join(' ')}`).join('\n')
}

function toIdentities(
  records: readonly IdentityRecord[],
  svid: X509Svid,
  others: ReadonlyMap<string, Member>,
): readonly WorkloadIdentity[] {
  if (records.length === 0) return [{ svid, hint: '', selectors: [], federatesWith: [] }]
  return records.flatMap(({ spiffeId, hint, selectors, federatesWith }) => {
    const held = svid.id.uri === spiffeId.uri ? svid : others.get(spiffeId.uri)?.svid.value
    return held ? [{ svid: held, hint, selectors, federatesWith }] : []
  })
}

function isSame(some: readonly WorkloadIdentity[], others: readonly WorkloadIdentity[]): boolean {
  if (some.length !== others.length) return false
  return some.every((one, at) => {
    const other = others[at]!
    return one.svid === other.svid && wordsOf(one) === wordsOf(other)
  })
}

function wordsOf({ hint, selectors, federatesWith }: WorkloadIdentity): string {
  return JSON.stringify([hint, selectors, federatesWith])
}
