import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSpiffeId } from '@picket/identity'
import { RpcError } from '@picket/rpc'
import { createRecordingLogger, FakeClock, settle } from '@picket/runtime/testing'
import { createJwtSvidCache } from './workload-jwt.ts'
import type { IssuedJwtSvid, WorkloadSource } from './workload-source.ts'

const id = parseSpiffeId('spiffe://bank.test/payments')
const LIFE_MS = 300_000

function setUp(issue?: WorkloadSource['issueJwt']) {
  const clock = new FakeClock()
  const ending = new AbortController()
  const asked: string[] = []
  const issuing = issue ?? (() => Promise.resolve({ token: `t${asked.length}`, expiresAtMs: clock.now() + LIFE_MS }))
  const cache = createJwtSvidCache(
    { clock, logger: createRecordingLogger() },
    (who, audience, signal) => {
      asked.push(audience.join(' '))
      return issuing(who, audience, signal)
    },
    ending.signal,
  )
  return { clock, cache, asked, ending }
}

test('a token is given again until half of its life is over', async () => {
  const { clock, cache } = setUp()
  assert.equal(await cache.get(id, ['a']), 't1')
  await clock.advance(LIFE_MS / 2 - 1)
  assert.equal(await cache.get(id, ['a']), 't1')
  await clock.advance(1)
  assert.equal(await cache.get(id, ['a']), 't2')
})

test('audiences are a set; another set, or another identity, is another token', async () => {
  const { cache, asked } = setUp()
  const first = await cache.get(id, ['a', 'b'])
  assert.equal(await cache.get(id, ['b', 'a']), first)
  assert.notEqual(await cache.get(id, ['a']), first)
  assert.notEqual(await cache.get(id, ['a b']), first)
  assert.notEqual(await cache.get(parseSpiffeId('spiffe://bank.test/ledger'), ['a', 'b']), first)
  assert.deepEqual(asked, ['a b', 'a', 'a b', 'a b'])
})

test('who asks while a token is on its way waits for that one', async () => {
  const answer = Promise.withResolvers<IssuedJwtSvid>()
  const { cache, asked } = setUp(() => answer.promise)
  const both = [cache.get(id, ['a']), cache.get(id, ['a'])]
  answer.resolve({ token: 't', expiresAtMs: Number.MAX_SAFE_INTEGER })
  assert.deepEqual(await Promise.all(both), ['t', 't'])
  assert.equal(asked.length, 1)
})

test('so many tokens are on their way at one time and no more', async () => {
  const answer = Promise.withResolvers<IssuedJwtSvid>()
  const { cache, asked } = setUp(() => answer.promise)
  const all = Array.from({ length: 1000 }, (_, index) => cache.get(id, [`a${index}`]))
  await assert.rejects(cache.get(id, ['one more']), { code: 'ERR_RPC_UNAVAILABLE' })
  const again = cache.get(id, ['a0'])
  answer.resolve({ token: 't', expiresAtMs: Number.MAX_SAFE_INTEGER })
  await Promise.all([...all, again])
  assert.equal(await cache.get(id, ['one more']), 't')
  assert.equal(asked.length, 1001)
})

test('while no newer one can be had the old one is given, until it expires', async () => {
  let broken = false
  const clockOf: { clock?: FakeClock } = {}
  const { clock, cache } = setUp(() =>
    broken
      ? Promise.reject(new RpcError('ERR_RPC_DEADLINE', 'too late'))
      : Promise.resolve({ token: 't1', expiresAtMs: clockOf.clock!.now() + LIFE_MS }),
  )
  clockOf.clock = clock
  await cache.get(id, ['a'])
  broken = true
  await clock.advance(LIFE_MS - 1)
  assert.equal(await cache.get(id, ['a']), 't1')
  await clock.advance(1)
  await assert.rejects(cache.get(id, ['a']), { code: 'ERR_RPC_UNAVAILABLE' })
})

const FAILURES = [
  [new RpcError('ERR_RPC_DENIED', 'x'), 'ERR_RPC_DENIED'],
  [new RpcError('ERR_RPC_INVALID', 'x'), 'ERR_RPC_INVALID'],
  [new RpcError('ERR_RPC_UNIMPLEMENTED', 'x'), 'ERR_RPC_UNIMPLEMENTED'],
  [new RpcError('ERR_RPC_INTERNAL', 'x'), 'ERR_RPC_UNAVAILABLE'],
  [new TypeError('x'), 'ERR_RPC_UNAVAILABLE'],
] as const
for (const [thrown, code] of FAILURES) {
  test(`${'code' in thrown ? thrown.code : thrown.name} of the authority is ${code} for the workload, and is tried anew`, async () => {
    const { cache, asked } = setUp(() => Promise.reject(thrown))
    await assert.rejects(cache.get(id, ['a']), { code })
    await assert.rejects(cache.get(id, ['a']), { code })
    assert.equal(asked.length, 2)
  })
}

test('an authority that does not answer is given up after ten seconds, and at the stop', async () => {
  const waits: WorkloadSource['issueJwt'] = (_id, _audience, signal) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
  const { clock, cache, ending } = setUp(waits)
  const late = assert.rejects(cache.get(id, ['a']), { code: 'ERR_RPC_UNAVAILABLE' })
  await clock.advance(10_000)
  await late
  const stopped = assert.rejects(cache.get(id, ['b']), { code: 'ERR_RPC_UNAVAILABLE' })
  ending.abort(new Error('stopping'))
  await stopped
})

test('a token that was asked for before all were forgotten is not kept', async () => {
  const answers = [Promise.withResolvers<IssuedJwtSvid>(), Promise.withResolvers<IssuedJwtSvid>()]
  let next = 0
  const { cache } = setUp(() => answers[next++]!.promise)
  const before = cache.get(id, ['a'])
  cache.clear()
  const after = cache.get(id, ['a'])
  answers[0]!.resolve({ token: 'old', expiresAtMs: Number.MAX_SAFE_INTEGER })
  await settle()
  answers[1]!.resolve({ token: 'new', expiresAtMs: Number.MAX_SAFE_INTEGER })
  assert.deepEqual([await before, await after, await cache.get(id, ['a'])], ['old', 'new', 'new'])
})

test('a thousand tokens are kept, the oldest goes first', async () => {
  const { cache, asked } = setUp()
  for (let index = 0; index <= 1000; index++) await cache.get(id, [String(index)])
  await cache.get(id, ['1000'])
  assert.equal(asked.length, 1001)
  await cache.get(id, ['0'])
  assert.equal(asked.length, 1002)
})
