import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCsr, type X509Svid } from '@picket/identity'
import { createTestAuthority, type TestSvidOptions } from '@picket/identity/testing'
import { createMetrics, createWatch } from '@picket/runtime'
import { createFakeRandom, createRecordingLogger, FakeClock, settle } from '@picket/runtime/testing'
import { createSvidRotation, requestSvid } from './svid-rotation.ts'

const HOUR_MS = 3_600_000

/** An issuer that signs what it is asked for, until told to fail; and a rotation on it that runs. */
function setUp() {
  const clock = new FakeClock()
  const startMs = clock.now()
  const authority = createTestAuthority('bank.test', { clock })
  const logger = createRecordingLogger()
  const asked: number[] = []
  const keys = new Set<string>()
  const issuer = {
    answer: undefined as undefined | (() => Promise<void>),
    path: '/payments',
    svid: {} as TestSvidOptions,
    async issue(der: Buffer): Promise<readonly Buffer[]> {
      asked.push(clock.now() - startMs)
      const csr = parseCsr(der)
      await issuer.answer?.()
      keys.add(csr.publicKey.export({ format: 'der', type: 'spki' }).toString('hex'))
      return sign(csr.publicKey)
    },
  }
  function sign(publicKey: ReturnType<typeof parseCsr>['publicKey']): readonly Buffer[] {
    const keyPair = { ...authority.keyPair, publicKey }
    const options = { notAfter: new Date(clock.now() + HOUR_MS), ...issuer.svid, keyPair }
    return authority.issueSvid(issuer.path, options).chain.map(({ der }) => der)
  }
  const first = authority.issueSvid('/payments', {
    notBefore: new Date(startMs),
    notAfter: new Date(startMs + HOUR_MS),
  })
  const svid = createWatch<X509Svid>(first)
  const bundles = createWatch(authority.bundles)
  const deps = { issuer, bundles, clock, random: createFakeRandom(0.5), logger, metrics: createMetrics(), svid }
  const rotation = createSvidRotation({ ...deps, replace: (next) => svid.set(next) })
  const stop = new AbortController()
  const running = rotation.run(stop.signal)
  return {
    clock,
    startMs,
    authority,
    logger,
    asked,
    keys,
    issuer,
    first,
    svid,
    deps,
    rotation,
    async [Symbol.asyncDispose]() {
      stop.abort()
      await running
    },
  }
}

test('renews at half life, each time under a new key', async () => {
  await using t = setUp()
  await t.clock.advance(HOUR_MS / 2 - 1)
  assert.deepEqual(t.asked, [])
  await t.clock.advance(1)
  await t.clock.advance(HOUR_MS / 2)
  assert.deepEqual(t.asked, [HOUR_MS / 2, HOUR_MS])
  assert.equal(t.keys.size, 2)
  assert.equal(t.rotation.rotations, 2)
  assert.notEqual(t.svid.value, t.first)
  assert.match(t.deps.metrics.render(), /^picket_svid_rotations_total 2$/m)
})

test('keeps the old svid when renewal fails and tries again with growing delays', async () => {
  await using t = setUp()
  t.issuer.answer = () => Promise.reject(new Error('the control plane is away'))
  await t.clock.advance(HOUR_MS / 2 + 120_000)
  assert.equal(t.svid.value, t.first)
  assert.deepEqual(
    t.asked.map((atMs, index) => atMs - (t.asked[index - 1] ?? HOUR_MS / 2)),
    [0, 375, 750, 1500, 3000, 6000, 12_000, 22_500, 22_500, 22_500, 22_500],
  )
  const failures = t.logger.entries.filter(({ message }) => message === 'svid renewal failed, the old one stays')
  assert.equal(failures.length, t.asked.length)
  t.issuer.answer = undefined
  await t.clock.advance(22_500)
  assert.notEqual(t.svid.value, t.first)
})

test('goes on trying after expiry, and recovers', async () => {
  await using t = setUp()
  t.issuer.answer = () => Promise.reject(new Error('the control plane is away'))
  await t.clock.advance(HOUR_MS + 60_000)
  assert.equal(t.svid.value, t.first)
  t.issuer.answer = undefined
  await t.clock.advance(30_000)
  assert.notEqual(t.svid.value, t.first)
})

test('a command renews at once, and two commands make one renewal', async () => {
  await using t = setUp()
  const { promise, resolve } = Promise.withResolvers<void>()
  t.issuer.answer = () => promise
  t.rotation.rotateNow()
  await settle()
  t.rotation.rotateNow()
  await settle()
  assert.deepEqual(t.asked, [0])
  resolve()
  await settle()
  assert.equal(t.rotation.rotations, 1)
  await t.clock.advance(HOUR_MS / 2 - 1)
  assert.deepEqual(t.asked, [0])
})

test('an abort ends it although an answer is outstanding', async () => {
  const t = setUp()
  const { promise, reject } = Promise.withResolvers<void>()
  t.issuer.answer = () => promise
  t.rotation.rotateNow()
  await settle()
  const disposed = t[Symbol.asyncDispose]()
  reject(new Error('aborted'))
  await disposed
  assert.equal(t.logger.entries.length, 0)
})

test('refuses an svid that it should not have been given', async (context) => {
  await using t = setUp()
  const never = new AbortController().signal
  const request = (): Promise<X509Svid> => requestSvid(t.deps, t.first.id, never)
  const stranger = createTestAuthority('bank.test', { clock: t.clock })

  await context.test('for another SPIFFE ID', async () => {
    t.issuer.path = '/ledger'
    await assert.rejects(request, { code: 'ERR_SVID_MISMATCH' })
    t.issuer.path = '/payments'
  })
  await context.test('by an authority that is not in the bundle', async () => {
    t.issuer.svid = { signedWith: stranger.keyPair }
    await assert.rejects(request, { code: 'ERR_SVID_MISMATCH' })
    t.issuer.svid = {}
  })
  await context.test('already expired', async () => {
    t.issuer.svid = { notAfter: new Date(t.clock.now() - 1) }
    await assert.rejects(request, { code: 'ERR_SVID_MISMATCH' })
    t.issuer.svid = {}
  })
  await context.test('for another key', async () => {
    const other = stranger.issueSvid('/payments')
    const issuer = { issue: () => Promise.resolve(other.chain.map(({ der }) => der)) }
    await assert.rejects(requestSvid({ ...t.deps, issuer }, t.first.id, never), { code: 'ERR_SVID' })
  })
  await context.test('an empty chain', async () => {
    const issuer = { issue: () => Promise.resolve([]) }
    await assert.rejects(requestSvid({ ...t.deps, issuer }, t.first.id, never), { code: 'ERR_SVID' })
  })
})
