import type { TrustDomain } from '@picket/identity'
import { createTurns } from '@picket/runtime'
import type { Authority, AuthorityDeps, AuthorityRecord, PrepareOptions } from './authority.ts'
import type { AuthorityKeeper } from './authority-keeper.ts'
import { makeAuthority } from './authority-making.ts'
import { findSlot, type AuthorityKind, type SlotEvent } from './authority-slots.ts'
import { CaError } from './error.ts'
import type { Journal } from './journal.ts'
import { createIssuing } from './issuing.ts'
import type { UpstreamFiles } from './upstream.ts'

export interface DriverOptions {
  readonly trustDomain: TrustDomain
  readonly authorityTtlMs: number
  readonly upstream: UpstreamFiles | undefined
}

/** The authority as others see it: changes in turn, issuing at any time. Its disposal gives `owned` up. */
export function createDriver(
  keeper: AuthorityKeeper,
  journal: Journal,
  owned: AsyncDisposable,
  options: DriverOptions,
  deps: AuthorityDeps,
): Authority {
  const { trustDomain } = options
  const inTurn = createClosableTurns()
  const change = (event: SlotEvent): Promise<void> => inTurn(() => keeper.apply(event))
  const find = (kind: AuthorityKind, isIt: (record: AuthorityRecord) => boolean): AuthorityRecord =>
    keeper.authorities.value.find((record) => record.kind === kind && isIt(record))!

  return {
    trustDomain,
    bundle: keeper.bundle,
    authorities: keeper.authorities,
    get svidAlgorithm() {
      return keeper.slots.svidAlgorithm
    },
    get rotation() {
      return keeper.slots.rotation
    },
    setSvidAlgorithm: (algorithm) => change({ kind: 'svid-algorithm', algorithm }),
    setRotation: (rotation) => change({ kind: 'rotate', rotation }),
    ...createIssuing(keeper, journal, trustDomain, deps),
    async prepare(kind, asked = {}) {
      await inTurn(() => prepare(keeper, kind, asked, options, deps))
      return find(kind, ({ state }) => state === 'prepared')
    },
    async activate(kind, keyId) {
      await change({ kind: 'activate', of: kind, keyId })
      return find(kind, ({ state }) => state === 'active')
    },
    async taint(kind, keyId) {
      await change({ kind: 'taint', of: kind, keyId })
      return find(kind, (record) => record.keyId === keyId)
    },
    revoke: (kind, keyId) => change({ kind: 'revoke', of: kind, keyId }),
    prune: () =>
      inTurn(async () => {
        const before = keeper.slots.authorities.length
        await keeper.apply({ kind: 'prune' })
        return before - keeper.slots.authorities.length
      }),
    async [Symbol.asyncDispose]() {
      await inTurn.close()
      await owned[Symbol.asyncDispose]()
    },
  }
}

async function prepare(
  keeper: AuthorityKeeper,
  kind: AuthorityKind,
  { algorithm: asked, anew = false }: PrepareOptions,
  { trustDomain, authorityTtlMs: ttlMs, upstream }: DriverOptions,
  deps: AuthorityDeps,
): Promise<void> {
  const prepared = findSlot(keeper.slots, kind, 'prepared')
  const algorithm = asked ?? prepared?.algorithm ?? keeper.activeOf(kind).slot.algorithm
  const isGood = prepared?.algorithm === algorithm && prepared.notAfter.getTime() > deps.clock.now()
  if (isGood && !anew) return keeper.settle()
  const made = await makeAuthority({ trustDomain, kind, algorithm, ttlMs, upstream }, deps)
  await keeper.apply({ kind: 'prepare', slot: made.slot }, made)
}

interface Turns {
  <T>(work: () => Promise<T>): Promise<T>
  /** Waits for what is under way; nothing begins after it, since the folder may be another's by then. */
  close(): Promise<void>
}

function createClosableTurns(): Turns {
  const inTurn = createTurns()
  let isClosed = false
  async function whileOpen<T>(work: () => Promise<T>): Promise<T> {
    if (isClosed) throw new CaError('ERR_AUTHORITY_STATE', 'the authority is closed')
    return inTurn(work)
  }
  async function close(): Promise<void> {
    isClosed = true
    await inTurn(async () => {})
  }
  return Object.assign(whileOpen, { close })
}
