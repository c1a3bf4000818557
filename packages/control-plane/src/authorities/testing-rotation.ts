import type { AuthorityKind, AuthorityRecord, RotationIntent } from '@picket/ca'
import type { KeyAlgorithm, X509Svid } from '@picket/identity'
import { createMetrics, createTasks, createWatch, type Watch } from '@picket/runtime'
import { createFakeRandom, createRecordingLogger, FakeClock } from '@picket/runtime/testing'
import { startRotationDriver, type RotatableAuthority, type RotationOptions } from './rotation-driver.ts'
import type { RotatingSidecar } from './rotation-facts.ts'
import { createRotationIntent } from './rotation-intent.ts'
import type { SidecarFact } from './rotation-step.ts'

export const DAY = 86_400_000

function record(clock: FakeClock, kind: AuthorityKind, keyId: string, state: AuthorityRecord['state']) {
  const now = new Date(clock.now())
  const notAfter = new Date(clock.now() + 30 * DAY)
  const dates = { preparedAt: now, activatedAt: state === 'prepared' ? undefined : now, notBefore: now, notAfter }
  const rest = { algorithm: 'ec-p256', tainted: false, upstream: false, certificate: undefined } as const
  return { kind, keyId, state, ...rest, ...dates } satisfies AuthorityRecord
}

/** What the fake authority holds, how it is to fail, and what it did. */
function createAuthorityState(clock: FakeClock) {
  const authorities = createWatch<readonly AuthorityRecord[]>([
    record(clock, 'x509', 'a', 'active'),
    record(clock, 'jwt', 'j', 'active'),
  ])
  const state = {
    rotation: undefined as RotationIntent | undefined,
    svidAlgorithm: 'ec-p256' as KeyAlgorithm,
    /** So many steps fail before they take effect. */
    fail: 0,
    /** Every step fails once it has taken effect: as a control plane that is killed right then. */
    failAfter: false,
    made: 0,
  }
  const did: string[] = []
  function change(what: string, next: (now: readonly AuthorityRecord[]) => readonly AuthorityRecord[]): void {
    if (state.fail-- > 0) throw new Error('the disk is full')
    state.fail = 0
    did.push(what)
    authorities.set(next(authorities.value))
    if (state.failAfter) throw new Error('killed after it took effect')
  }
  const find = (keyId: string): AuthorityRecord => authorities.value.find((one) => one.keyId === keyId)!
  return { authorities, state, did, change, find }
}

/** A certificate authority of records alone. */
function createFakeAuthority(clock: FakeClock) {
  const { authorities, state, did, change, find } = createAuthorityState(clock)
  const authority: RotatableAuthority = {
    authorities,
    get rotation() {
      return state.rotation
    },
    get svidAlgorithm() {
      return state.svidAlgorithm
    },
    setRotation: async (rotation) => void (state.rotation = rotation),
    setSvidAlgorithm: async (algorithm) => void (state.svidAlgorithm = algorithm),
    async prepare(kind) {
      const keyId = `${kind}${++state.made}`
      change(`prepare ${kind}`, (now) => [
        ...now.filter((one) => one.kind !== kind || one.state !== 'prepared'),
        record(clock, kind, keyId, 'prepared'),
      ])
      return find(keyId)
    },
    async activate(kind, keyId) {
      const at = new Date(clock.now())
      change(`activate ${keyId}`, (now) =>
        now.map((one) => {
          if (one.keyId === keyId) return { ...one, state: 'active', activatedAt: at }
          return one.kind === kind && one.state === 'active' ? { ...one, state: 'old' } : one
        }),
      )
      return find(keyId!)
    },
    async taint(_kind, keyId) {
      change(`taint ${keyId}`, (now) => now.map((one) => (one.keyId === keyId ? { ...one, tainted: true } : one)))
      return find(keyId)
    },
    revoke: async (_kind, keyId) => change(`revoke ${keyId}`, (now) => now.filter((one) => one.keyId !== keyId)),
    async prune() {
      did.push('prune')
      return 0
    },
  }
  return { authority, state, did }
}

/** Sidecars that trust and hold what the test says. */
function createFakeSidecars() {
  const changed = createWatch(0)
  const sidecars = new Map<string, SidecarFact & { readonly serial: string }>()
  let told = 0
  return {
    changed,
    told: () => told,
    facts: () => [...sidecars.values()],
    says(name: string, trusts: readonly string[], holds: readonly string[]): void {
      const who = { spiffeId: `spiffe://bank.test/${name}`, instanceId: 'one' }
      const has = { trusts: new Set(trusts), holds, serial: holds.join(), awaitedUntilMs: undefined }
      sidecars.set(name, { ...who, ...has })
      changed.set(changed.value + 1)
    },
    rotateWhere(picks: (sidecar: RotatingSidecar) => boolean) {
      const picked = [...sidecars.values()].filter(({ spiffeId, instanceId, serial, holds = [] }) =>
        picks({
          spiffeId,
          instanceId,
          service: '',
          svidSerial: serial,
          authorityKeyIds: holds,
          ackedRevision: () => '',
        }),
      )
      told += picked.length
      return picked.length
    },
  }
}

const nothing = { [Symbol.dispose]() {} }
const ownSvid = { chain: [{ authorityKeyId: 'of nobody' }] } as unknown as X509Svid

/** A driver over fakes, at a time of its own. */
export function setUp(options: Partial<RotationOptions> = {}) {
  const clock = new FakeClock()
  const fake = createFakeAuthority(clock)
  const sidecars = createFakeSidecars()
  const denied = new Map<string, number>()
  const own: Watch<X509Svid> = { value: ownSvid, subscribe: () => nothing }
  const deps = {
    authority: fake.authority,
    facts: { read: () => ({ sidecars: sidecars.facts(), settledAtMs: 0 }), holdsAuthority: () => true, ...nothing },
    sidecars,
    own: [own],
    denied: {
      has: (keyId: string) => denied.has(keyId),
      add: async (keyId: string, untilMs: number) => void denied.set(keyId, untilMs),
    },
    svidAlgorithm: createWatch<KeyAlgorithm>('ec-p256'),
    clock,
    random: createFakeRandom(),
    logger: createRecordingLogger(),
    metrics: createMetrics(),
    tasks: createTasks(),
  }
  const longestMs = { x509: 3_600_000, jwt: 300_000 }
  const driver = startRotationDriver(deps, { quorum: 1, deadlineMs: undefined, longestMs, publishMs: 0, ...options })
  type Order = Parameters<typeof createRotationIntent>[0]
  const usual: Order = { kinds: ['x509'], reason: 'ordered', quorum: 1, deadlineMs: undefined, retire: true }
  return {
    ...fake,
    clock,
    driver,
    denied,
    order: (change: Partial<Order> = {}) => driver.order(() => createRotationIntent({ ...usual, ...change }, deps)),
    says: (name: string, trusts: readonly string[], holds: readonly string[]) => sidecars.says(name, trusts, holds),
    told: sidecars.told,
    svidAlgorithm: deps.svidAlgorithm,
    metrics: deps.metrics,
    log: deps.logger.entries,
    [Symbol.asyncDispose]: () => deps.tasks[Symbol.asyncDispose](),
  }
}
