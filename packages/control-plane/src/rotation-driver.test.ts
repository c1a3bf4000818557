import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { AuthorityKind, AuthorityRecord, RotationIntent } from '@picket/ca'
import type { KeyAlgorithm, X509Svid } from '@picket/identity'
import { createMetrics, createTasks, createWatch, type Watch } from '@picket/runtime'
import { createFakeRandom, createRecordingLogger, FakeClock, settle } from '@picket/runtime/testing'
import { startRotationDriver, type RotatableAuthority, type RotationOptions } from './rotation-driver.ts'
import type { RotatingSidecar } from './rotation-facts.ts'
import { createRotationIntent } from './rotation-intent.ts'
import type { SidecarFact } from './rotation-step.ts'

const DAY = 86_400_000

function record(clock: FakeClock, kind: AuthorityKind, keyId: string, state: AuthorityRecord['state']) {
  const now = new Date(clock.now())
  const notAfter = new Date(clock.now() + 30 * DAY)
  const dates = { preparedAt: now, activatedAt: state === 'prepared' ? undefined : now, notBefore: now, notAfter }
  return {
    kind,
    keyId,
    algorithm: 'ec-p256',
    state,
    tainted: false,
    ...dates,
    upstream: false,
    certificate: undefined,
  } as AuthorityRecord
}

/** A certificate authority of records alone, that fails when it is told to. */
function createFakeAuthority(clock: FakeClock) {
  const authorities = createWatch<readonly AuthorityRecord[]>([
    record(clock, 'x509', 'a', 'active'),
    record(clock, 'jwt', 'j', 'active'),
  ])
  const state = {
    rotation: undefined as RotationIntent | undefined,
    svidAlgorithm: 'ec-p256' as KeyAlgorithm,
    fail: 0,
    made: 0,
  }
  const did: string[] = []
  const change = (what: string, next: (now: readonly AuthorityRecord[]) => readonly AuthorityRecord[]): void => {
    if (state.fail-- > 0) throw new Error('the disk is full')
    state.fail = 0
    did.push(what)
    authorities.set(next(authorities.value))
  }
  const find = (keyId: string): AuthorityRecord => authorities.value.find((one) => one.keyId === keyId)!
  const authority: RotatableAuthority = {
    authorities,
    get rotation() {
      return state.rotation
    },
    get svidAlgorithm() {
      return state.svidAlgorithm
    },
    async setRotation(rotation) {
      state.rotation = rotation
    },
    async setSvidAlgorithm(algorithm) {
      state.svidAlgorithm = algorithm
    },
    async prepare(kind) {
      const keyId = `${kind}${++state.made}`
      change(`prepare ${kind}`, (now) => [...now, record(clock, kind, keyId, 'prepared')])
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
    async revoke(_kind, keyId) {
      change(`revoke ${keyId}`, (now) => now.filter((one) => one.keyId !== keyId))
    },
    async prune() {
      did.push('prune')
      return 0
    },
  }
  return { authority, state, did }
}

function setUp(options: Partial<RotationOptions> = {}) {
  const clock = new FakeClock()
  const fake = createFakeAuthority(clock)
  const logger = createRecordingLogger()
  const metrics = createMetrics()
  const random = createFakeRandom()
  const tasks = createTasks()
  const changed = createWatch(0)
  const denied = new Map<string, number>()
  const svidAlgorithm = createWatch<KeyAlgorithm>('ec-p256')
  const sidecars = new Map<string, SidecarFact & { readonly serial: string }>()
  let told = 0
  const own: Watch<X509Svid> = {
    value: { chain: [{ authorityKeyId: 'of nobody' }] } as unknown as X509Svid,
    subscribe: () => ({ [Symbol.dispose]() {} }),
  }
  const deps = {
    authority: fake.authority,
    facts: {
      read: () => ({ sidecars: [...sidecars.values()], settledAtMs: 0 }),
      holdsAuthority: () => true,
      [Symbol.dispose]() {},
    },
    sidecars: {
      changed,
      rotateWhere(picks: (sidecar: RotatingSidecar) => boolean) {
        const seen = [...sidecars.values()].map(({ spiffeId, instanceId, serial, holds = [] }): RotatingSidecar => {
          return {
            spiffeId,
            instanceId,
            service: '',
            svidSerial: serial,
            authorityKeyIds: holds,
            ackedRevision: () => '',
          }
        })
        const picked = seen.filter(picks).length
        told += picked
        return picked
      },
    },
    own: [own],
    denied: {
      has: (keyId: string) => denied.has(keyId),
      add: async (keyId: string, untilMs: number) => void denied.set(keyId, untilMs),
    },
    svidAlgorithm,
    clock,
    random,
    logger,
    metrics,
    tasks,
  }
  const driver = startRotationDriver(deps, {
    quorum: 1,
    deadlineMs: undefined,
    longestMs: { x509: 3_600_000, jwt: 300_000 },
    publishMs: 0,
    ...options,
  })
  const order = (change: Partial<Parameters<typeof createRotationIntent>[0]> = {}): Promise<void> =>
    driver.order(() =>
      createRotationIntent(
        { kinds: ['x509'], reason: 'ordered', quorum: 1, deadlineMs: undefined, retire: true, ...change },
        deps,
      ),
    )
  const says = (name: string, trusts: readonly string[], holds: readonly string[]): void => {
    const spiffeId = `spiffe://bank.test/${name}`
    sidecars.set(name, {
      spiffeId,
      instanceId: 'one',
      trusts: new Set(trusts),
      holds,
      serial: holds.join(),
      awaitedUntilMs: undefined,
    })
    changed.set(changed.value + 1)
  }
  return {
    ...fake,
    clock,
    driver,
    order,
    says,
    denied,
    svidAlgorithm,
    metrics,
    log: logger.entries,
    told: () => told,
    [Symbol.asyncDispose]: () => tasks[Symbol.asyncDispose](),
  }
}

suite('a rotation driver', () => {
  test('takes every step when its time has come, and tells sidecars to renew once', async () => {
    await using setting = setUp()
    const { clock, did, driver, says, order } = setting
    says('x', ['a'], ['a'])
    await order({ svidAlgorithm: 'ml-dsa-65' })
    await clock.advance(1000)
    assert.deepEqual(did, ['prepare x509'])
    assert.deepEqual([driver.progress.value?.phase, driver.progress.value?.laggards.length], ['distributing', 1])
    says('x', ['a', 'x5091'], ['a'])
    await clock.advance(1000)
    assert.deepEqual(did.slice(1), ['activate x5091', 'taint a'])
    assert.equal(setting.svidAlgorithm.value, 'ml-dsa-65')
    assert.deepEqual([driver.progress.value?.phase, setting.told()], ['reissuing', 1])
    assert.match(setting.metrics.render(), /picket_rotation_phase\{phase="reissuing"\} 1/)
    says('x', ['a', 'x5091'], ['x5091'])
    await clock.advance(1000)
    assert.deepEqual(did.slice(3), ['revoke a'])
    assert.deepEqual([driver.progress.value, setting.state.rotation, setting.told()], [undefined, undefined, 1])
  })

  test('tells a sidecar again that does not renew, and complains about it by name', async () => {
    await using setting = setUp()
    setting.says('x', ['a', 'x5091'], ['a'])
    await setting.order()
    await setting.clock.advance(1000)
    assert.equal(setting.told(), 1)
    await setting.clock.advance(10_000)
    assert.equal(setting.told(), 2)
    const complaint = setting.log.find(({ message }) => message === 'rotation waits for sidecars')
    assert.deepEqual(complaint?.fields['laggards'], ['spiffe://bank.test/x one'])
  })

  test('goes on after a deadline with an alarm and a count', async () => {
    await using setting = setUp()
    setting.says('x', ['a'], ['a'])
    await setting.order({ deadlineMs: 5000 })
    await setting.clock.advance(4900)
    assert.deepEqual(setting.did, ['prepare x509'])
    await setting.clock.advance(11_000)
    assert.deepEqual(setting.did, ['prepare x509', 'activate x5091', 'taint a', 'revoke a'])
    assert.equal(setting.log.filter(({ message }) => message === 'rotation goes on without some sidecars').length, 2)
    assert.match(setting.metrics.render(), /picket_rotation_forced_total\{because="deadline"\} 2/)
  })

  test('denies the compromised key before it revokes it', async () => {
    await using setting = setUp()
    await setting.order({ reason: 'emergency', deadlineMs: 30_000 })
    await setting.clock.advance(1000)
    assert.deepEqual([...setting.denied.keys()], ['a'])
    assert.equal(setting.did.at(-1), 'revoke a')
  })

  test('tries a failed step again, says what holds it up, and ends all the same', async () => {
    await using setting = setUp()
    setting.state.fail = 3
    await setting.order()
    await setting.clock.advance(100)
    assert.deepEqual(
      setting.driver.progress.value?.laggards.map(({ reason }) => reason),
      ['the disk is full'],
    )
    await setting.clock.advance(60_000)
    assert.deepEqual([setting.state.rotation, setting.did.at(-1)], [undefined, 'revoke a'])
  })

  test('goes on with what a stopped control plane had begun', async () => {
    await using first = setUp()
    first.says('x', ['a'], ['a'])
    await first.order()
    await first.clock.advance(1000)
    const { rotation } = first.state
    await using second = setUp()
    second.state.rotation = rotation
    await second.clock.advance(1000)
    assert.deepEqual(second.did.at(-1), 'revoke a')
  })

  test('keeps the calendar: prepares at half life, rotates at five sixths, keeps the old one', async () => {
    await using setting = setUp()
    await setting.clock.advance(15 * DAY + 1000)
    assert.deepEqual(
      setting.did.filter((what) => what !== 'prune'),
      ['prepare x509', 'prepare jwt'],
    )
    await setting.clock.advance(10 * DAY)
    assert.deepEqual(setting.did.filter((what) => what !== 'prune').slice(2), ['activate x5091', 'activate jwt2'])
    assert.equal(setting.authority.authorities.value.filter(({ state }) => state === 'old').length, 2)
    assert.equal(setting.driver.progress.value, undefined)
  })

  test('does not let expired authorities pile up, however short they live', async () => {
    await using setting = setUp()
    await setting.clock.advance(260 * DAY)
    const { value } = setting.authority.authorities
    assert.ok(value.filter(({ kind }) => kind === 'x509').length <= 9, String(value.length))
    assert.ok(value.some(({ state, notAfter }) => state === 'active' && notAfter.getTime() > setting.clock.now()))
  })

  test('says so when the upstream is not renewed, and does nothing else', async () => {
    let endsAtMs = 0
    await using setting = setUp({ upstreamEndsAtMs: async () => endsAtMs })
    endsAtMs = setting.clock.now() + 30 * DAY
    await setting.clock.advance(16 * DAY)
    assert.ok(setting.log.some(({ message }) => message === 'the upstream authority ends too soon: renew its files'))
    assert.ok(!setting.did.includes('prepare x509'))
    endsAtMs += 60 * DAY
    await setting.clock.advance(DAY)
    assert.ok(setting.did.includes('prepare x509'), 'the files were renewed')
  })

  test('takes an order between two steps: what replaces a rotation is not ended with it', async () => {
    await using setting = setUp()
    const first = setting.order({ retire: false })
    const second = setting.order({ kinds: ['jwt'], retire: false })
    await Promise.all([first, second])
    await settle()
    await setting.clock.advance(1000)
    assert.deepEqual(
      setting.did
        .filter((what) => what.startsWith('activate'))
        .at(-1)
        ?.startsWith('activate jwt'),
      true,
    )
  })
})
