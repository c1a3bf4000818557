import {
  createRevocationList,
  parseRevocationSubject,
  type RevocationList,
  type RevocationSubject,
} from '@picket/identity'
import { encodeRevocations, type Resource } from '@picket/rpc'
import {
  createWatch,
  messageOf,
  sleepUnlessAborted,
  type Clock,
  type Logger,
  type Metrics,
  type Tasks,
  type Watch,
} from '@picket/runtime'
import type { Issuer } from '../issuer.ts'
import { createResource } from '../resource.ts'
import { createWakeUp, type WakeUp } from '../wake-up.ts'

/** Who or what is refused although its certificates are good, and why. */
export interface StoredRevocation {
  readonly subject: RevocationSubject
  readonly reason: string
  readonly createdAtMs: number
  readonly createdBy: string
  /** 0 = until it is taken off. */
  readonly expiresAtMs: number
}

export interface RevocationStore {
  /** In the place of one with the same subject. */
  saveRevocation(revocation: StoredRevocation): Promise<void>
  deleteRevocation(subject: RevocationSubject): Promise<void>
  /** In order of creation. */
  loadRevocations(): Promise<readonly StoredRevocation[]>
  /** Serial numbers of the SVIDs of this ID that have not expired. */
  liveSerials(spiffeId: string, nowMs: number): Promise<readonly string[]>
}

/**
 * The deny-list. A change is on the disk first, then in force here, then on its way to every sidecar, together with a CRL
 * for those who know no deny-list. That a CRL cannot be signed holds nothing up: the list is what is enforced.
 */
export interface Revocations {
  readonly list: Watch<RevocationList>
  readonly resource: Watch<Resource>
  all(): readonly StoredRevocation[]
  find(subject: RevocationSubject): StoredRevocation | undefined
  /** Resolves when it is stored and pushed. */
  add(revocation: StoredRevocation): Promise<void>
  /** Resolves with what was taken off. */
  remove(subject: RevocationSubject): Promise<StoredRevocation | undefined>
  /** Whether the resource of this revision holds it. */
  isIn(revision: string, subject: RevocationSubject): boolean
}

interface RevocationDeps {
  readonly store: RevocationStore
  readonly issuer: Pick<Issuer, 'authorities' | 'signCrl'>
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly tasks: Tasks
}

const CRL_VALID_MS = 24 * 3_600_000
/** RFC 5280 sets no bound; identity's reader does. The newest are kept. */
const MOST_IN_CRL = 10_000
const EDITIONS_KEPT = 64
const RETRY_MS = 30_000

export async function createRevocations(deps: RevocationDeps): Promise<Revocations> {
  const { store, clock } = deps
  const held = createHeld(await store.loadRevocations())
  const list = createWatch(createRevocationList([]))
  const resource = createWatch(toResource([], undefined))
  const crl = createCrlSigner(deps)
  let publishing = Promise.resolve()

  /** In force at once; the CRL, which may take a moment, goes out with it. Resolves when it has, or a newer list has. */
  function publish(): Promise<void> {
    const before = publishing
    publishing = publishNow()
    return Promise.all([before, publishing]).then(() => publishing)
  }

  async function publishNow(): Promise<void> {
    const number = held.begin()
    const subjects = held.all().map(({ subject }) => subject)
    list.set(createRevocationList(subjects))
    const made = toResource(subjects, await crl.sign(held.all()))
    if (!held.publish(number, made.revision)) return
    if (made.revision !== resource.value.revision) resource.set(made)
  }

  await dropExpired(held, deps)
  await publish()
  const size = deps.metrics.gauge(
    'picket_revocations',
    'SPIFFE IDs, serial numbers and authority keys on the deny-list',
  )
  deps.metrics.onRender(() => size.set(held.all().length))
  const wakeUp = keepUp(deps, {
    dueAtMs: () => Math.min(crl.dueAtMs, ...held.all().map(({ expiresAtMs }) => expiresAtMs || Infinity)),
    async refresh(isStale) {
      if ((await dropExpired(held, deps)) > 0 || isStale || clock.now() >= crl.dueAtMs) await publish()
    },
  })

  return {
    list,
    resource,
    all: () => held.all(),
    find: (subject) => held.find(subject),
    async add(revocation) {
      await store.saveRevocation(revocation)
      held.set(revocation)
      await publish()
      wakeUp.now()
    },
    async remove(subject) {
      const found = held.find(subject)
      if (!found) return undefined
      await store.deleteRevocation(subject)
      held.delete(subject)
      await publish()
      return found
    },
    isIn: (revision, subject) => held.isIn(revision, subject),
  }
}

/** Tells how many. */
async function dropExpired(held: ReturnType<typeof createHeld>, deps: RevocationDeps): Promise<number> {
  const nowMs = deps.clock.now()
  const over = held.all().filter(({ expiresAtMs }) => expiresAtMs > 0 && expiresAtMs <= nowMs)
  for (const { subject } of over) {
    await deps.store.deleteRevocation(subject)
    held.delete(subject)
    deps.logger.info('revocation expired', { ...subject })
  }
  return over.length
}

/** The list in memory, and with which of its editions each revocation came. */
function createHeld(loaded: readonly StoredRevocation[]) {
  const held = new Map<string, StoredRevocation & { readonly since: number }>()
  const editions = new Map<string, number>()
  let newest = 0
  for (const revocation of loaded) held.set(keyOf(revocation.subject), { ...revocation, since: 0 })
  return {
    all: (): readonly StoredRevocation[] => [...held.values()],
    find: (subject: RevocationSubject): StoredRevocation | undefined => held.get(keyOf(subject)),
    set: (revocation: StoredRevocation) =>
      void held.set(keyOf(revocation.subject), { ...revocation, since: newest + 1 }),
    delete: (subject: RevocationSubject) => void held.delete(keyOf(subject)),
    begin: () => ++newest,
    /** False: a newer edition is on its way. */
    publish(edition: number, revision: string): boolean {
      if (edition !== newest) return false
      editions.delete(revision)
      editions.set(revision, edition)
      for (const oldest of editions.keys()) if (editions.size > EDITIONS_KEPT) editions.delete(oldest)
      return true
    },
    isIn(revision: string, subject: RevocationSubject): boolean {
      const since = held.get(keyOf(subject))?.since
      return since !== undefined && (editions.get(revision) ?? -1) >= since
    },
  }
}

function createCrlSigner({ issuer, store, clock, logger }: RevocationDeps) {
  let dueAtMs = Number.NEGATIVE_INFINITY
  return {
    /** When the next one is to be made, however little has changed. */
    get dueAtMs() {
      return dueAtMs
    },
    async sign(held: readonly StoredRevocation[]): Promise<Buffer | undefined> {
      dueAtMs = clock.now() + CRL_VALID_MS / 2
      try {
        return await issuer.signCrl(await toCrlEntries(held, store, clock.now()), CRL_VALID_MS)
      } catch (thrown) {
        dueAtMs = clock.now() + RETRY_MS
        logger.error('no CRL is published', { error: messageOf(thrown) })
        return undefined
      }
    },
  }
}

interface Upkeep {
  dueAtMs(): number
  /** `isStale`: another authority signs now. */
  refresh(isStale: boolean): Promise<void>
}

/** Keeps list and CRL fresh for as long as the tasks run. */
function keepUp({ issuer, clock, logger, tasks }: RevocationDeps, upkeep: Upkeep): WakeUp {
  const wakeUp = createWakeUp(clock)
  tasks.start('revocations', async (signal) => {
    let signer = activeKeyId(issuer)
    using _subscription = issuer.authorities.subscribe(() => wakeUp.now())
    for (let dueAtMs = upkeep.dueAtMs(); ; dueAtMs = upkeep.dueAtMs()) {
      await wakeUp.wait(dueAtMs, 0, signal)
      if (signal.aborted) return
      try {
        await upkeep.refresh(signer !== activeKeyId(issuer))
        signer = activeKeyId(issuer)
      } catch (thrown) {
        logger.error('the deny-list is not kept up', { error: messageOf(thrown) })
        await sleepUnlessAborted(clock, RETRY_MS, signal)
      }
    }
  })
  return wakeUp
}

function toResource(subjects: readonly RevocationSubject[], crl: Buffer | undefined): Resource {
  return createResource('revocations', encodeRevocations({ subjects, crl }))
}

type CrlEntries = Parameters<Issuer['signCrl']>[0]

/** A CRL knows serial numbers alone: a revoked SPIFFE ID is there by those of its SVIDs that have not expired. */
async function toCrlEntries(
  held: readonly StoredRevocation[],
  store: RevocationStore,
  nowMs: number,
): Promise<CrlEntries> {
  const entries: { serialNumber: string; revokedAt: Date }[] = []
  for (const { subject, createdAtMs } of held) {
    const { kind, value } = subject
    const serials = kind === 'serial' ? [value] : kind === 'spiffe-id' ? await store.liveSerials(value, nowMs) : []
    for (const serialNumber of serials) entries.push({ serialNumber, revokedAt: new Date(createdAtMs) })
  }
  return entries.slice(-MOST_IN_CRL)
}

function activeKeyId({ authorities }: Pick<Issuer, 'authorities'>): string | undefined {
  return authorities.value.find(({ kind, state }) => kind === 'x509' && state === 'active')?.keyId
}

function keyOf({ kind, value }: RevocationSubject): string {
  return `${kind} ${value}`
}

/** The key of an authority, as the rotation that retires it denies it. */
export function authorityKeySubject(keyId: string): RevocationSubject {
  return parseRevocationSubject('authority-key', keyId)
}
