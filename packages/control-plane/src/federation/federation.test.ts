import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { encodeTrustBundle, generateKeyPair, toJwtAuthority } from '@picket/identity'
import { settle } from '@picket/runtime/testing'
import { failFetch } from './federation-failure.ts'
import { openTestStore } from '../testing.ts'
import { bundleOf, caller, endpointSpiffeId, TestFederation } from './testing-federation.ts'

suite('a relationship', () => {
  test('is answered with how the first fetch went, and polled at the hint of its bundle', async () => {
    await using store = openTestStore()
    const bench = await new TestFederation(store).start()
    const set = bench.set()
    await settle()
    assert.equal(bench.newest.url, 'https://partner.test/')
    await bench.newest.succeed(bundleOf({ sequence: 7n, refreshHintSeconds: 600 }))
    const nowMs = bench.clock.now()
    assert.deepEqual(await set, {
      trustDomain: 'partner.test',
      url: 'https://partner.test/',
      profile: 'https_web',
      endpointSpiffeId: '',
      hasBundle: true,
      sequence: '7',
      refreshHintSeconds: 600,
      x509Authorities: 1,
      jwtAuthorities: 0,
      fetchedAtMs: nowMs,
      nextFetchAtMs: nowMs + 600_000,
      failureCode: '',
      failureMessage: '',
    })
    assert.equal(bench.held?.sequence, 7n)
    await bench.clock.advance(599_999)
    assert.equal(bench.fetches.length, 1)
    await bench.clock.advance(1)
    assert.equal(bench.fetches.length, 2)
  })

  test('keeps its bundle when fetches fail, and tries again no sooner than at the next poll', async () => {
    await using store = openTestStore()
    const bench = await new TestFederation(store).start()
    await bench.establish()
    const { fetchedAtMs } = await bench.only()
    await bench.clock.advance(300_000)
    await bench.newest.fail(failFetch('timeout', 'too slow'))
    const { failureCode, failureMessage, ...after } = await bench.only()
    assert.deepEqual([failureCode, failureMessage, after.fetchedAtMs], ['timeout', 'too slow', fetchedAtMs])
    assert.equal(bench.held?.sequence, 1n)
    await bench.clock.advance(299_999)
    assert.equal(bench.fetches.length, 2)
    await bench.clock.advance(1)
    await bench.newest.succeed(bundleOf({ sequence: 2n }))
    assert.deepEqual([(await bench.only()).failureCode, bench.held?.sequence], ['', 2n])
  })

  test('is polled as often as is allowed while it has no bundle', async () => {
    await using store = openTestStore()
    const bench = await new TestFederation(store).start()
    const set = bench.set()
    await settle()
    await bench.newest.fail()
    const { hasBundle, failureCode } = await set
    assert.deepEqual([hasBundle, failureCode, bench.held], [false, 'unreachable', undefined])
    await bench.clock.advance(60_000)
    assert.equal(bench.fetches.length, 2)
  })

  test('refuses a lower sequence and says so, until the operator gives a bundle', async () => {
    await using store = openTestStore()
    const bench = await new TestFederation(store).start()
    await bench.establish(bundleOf({ sequence: 5n }))
    await bench.clock.advance(300_000)
    await bench.newest.succeed(bundleOf({ sequence: 4n }))
    assert.deepEqual([(await bench.only()).failureCode, bench.held?.sequence], ['rollback', 5n])
    const set = bench.set({ bundle: encodeTrustBundle(bundleOf({ sequence: 3n })) })
    await settle()
    assert.equal(bench.held?.sequence, 3n)
    await bench.newest.succeed(bundleOf({ sequence: 4n }))
    assert.deepEqual([(await set).sequence, bench.held?.sequence], ['4', 4n])
  })

  test('takes a bundle without keys, which trusts nobody, and keeps it', async () => {
    await using store = openTestStore()
    const bench = await new TestFederation(store).start()
    await bench.establish()
    await bench.clock.advance(300_000)
    await bench.newest.succeed(Buffer.from('{"keys": [], "spiffe_sequence": 2}'))
    assert.deepEqual([bench.held?.x509Authorities, bench.held?.sequence], [[], 2n])
    assert.equal((await bench.only()).hasBundle, true)
    assert.ok(bench.logger.entries.some(({ level, fields }) => level === 'warn' && fields['authorities'] === 0))
    const again = await bench.restart()
    assert.deepEqual(again.held?.x509Authorities, [])
  })

  for (const [what, document] of Object.entries({
    'is garbage': 'no bundle',
    'is empty': '',
    'has no keys member': '{"spiffe_sequence": 9}',
    'has a member twice': '{"keys": [], "keys": []}',
    'is not UTF-8': Buffer.from('{"keys": [], "x": "\xff"}', 'latin1'),
    'has a certificate that does not read': '{"keys": [{"kty":"EC","use":"x509-svid","x5c":["AAAA"]}]}',
  })) {
    test(`keeps its bundle when what comes ${what}`, async () => {
      await using store = openTestStore()
      const bench = await new TestFederation(store).start()
      await bench.establish()
      await bench.clock.advance(300_000)
      await bench.newest.succeed(Buffer.from(document))
      assert.deepEqual([(await bench.only()).failureCode, bench.held?.sequence], ['malformed', 1n])
    })
  }

  test('tells nobody of a bundle that has not changed', async () => {
    await using store = openTestStore()
    const bench = await new TestFederation(store).start()
    await bench.establish()
    let changes = 0
    bench.federation.bundles.subscribe(() => (changes += 1))
    await bench.clock.advance(300_000)
    await bench.newest.succeed(bundleOf())
    assert.equal(changes, 0)
    assert.equal((await bench.only()).fetchedAtMs, bench.clock.now())
    assert.equal((await store.loadRelationships())[0]?.fetchedAtMs, bench.clock.now())
    await bench.clock.advance(300_000)
    const rewritten = Buffer.from(`  ${encodeTrustBundle(bundleOf())}`)
    await bench.newest.succeed(rewritten)
    assert.equal(changes, 0)
    await bench.clock.advance(300_000)
    const jwtAuthorities = [toJwtAuthority('key', generateKeyPair().publicKey)]
    await bench.newest.succeed(bundleOf({ jwtAuthorities }))
    assert.equal(changes, 1)
    assert.ok(
      bench.logger.entries.some(({ level, fields }) => level === 'warn' && fields['change'] === 'same-sequence'),
    )
  })

  test('is kept over a restart with its bundle, and asked for news at once', async () => {
    await using store = openTestStore()
    const bench = await new TestFederation(store).start()
    await bench.establish(bundleOf({ sequence: 2n ** 60n + 1n }))
    const { nextFetchAtMs: _next, ...before } = await bench.only()
    await bench.federation[Symbol.asyncDispose]()
    const again = await bench.restart()
    assert.equal(again.held?.sequence, 2n ** 60n + 1n)
    const { nextFetchAtMs: _later, ...after } = await again.only()
    assert.deepEqual(after, before)
    assert.equal(again.fetches.length, 1)
  })

  test('that is deleted takes its bundle along; what a fetch still brings is nobody’s', async () => {
    await using store = openTestStore()
    const bench = await new TestFederation(store).start()
    await bench.establish()
    await bench.clock.advance(300_000)
    await bench.federation.handlers.delete('partner.test', caller)
    assert.equal(bench.newest.signal.aborted, true)
    await bench.newest.succeed(bundleOf({ sequence: 9n }))
    assert.equal(bench.held, undefined)
    assert.deepEqual(await bench.federation.handlers.list(caller), [])
    assert.deepEqual(bench.clock.pendingMs, [])
    assert.equal((await bench.restart()).fetches.length, 0)
    const missing = { code: 'ERR_RPC_NOT_FOUND' }
    await assert.rejects(bench.federation.handlers.delete('partner.test', caller), missing)
    await assert.rejects(bench.federation.handlers.refresh('partner.test', caller), missing)
  })

  test('that is set anew ends the fetch of the old one and keeps its bundle', async () => {
    await using store = openTestStore()
    const bench = await new TestFederation(store).start()
    await bench.establish()
    await bench.clock.advance(300_000)
    const old = bench.newest
    const set = bench.set({ url: 'https://elsewhere.test/', profile: 'https_spiffe', endpointSpiffeId })
    await settle()
    await old.succeed(bundleOf({ sequence: 9n }))
    assert.equal(bench.held?.sequence, 1n)
    assert.match((await store.loadRelationships())[0]?.bundle ?? '', /"spiffe_sequence": 1\n?,/)
    assert.equal(bench.newest.url, 'https://elsewhere.test/')
    await bench.newest.succeed(bundleOf({ sequence: 2n }))
    assert.deepEqual([(await set).profile, bench.held?.sequence], ['https_spiffe', 2n])
    assert.deepEqual(bench.clock.pendingMs, [300_000])
  })

  test('is refreshed on demand, which puts off the next poll; two demands are one fetch', async () => {
    await using store = openTestStore()
    const bench = await new TestFederation(store).start()
    await bench.establish()
    await bench.clock.advance(200_000)
    const refreshes = [1, 2].map(() => bench.federation.handlers.refresh('partner.test', caller))
    await settle()
    assert.equal(bench.fetches.length, 2)
    await bench.newest.succeed(bundleOf({ sequence: 2n }))
    for (const { sequence } of await Promise.all(refreshes)) assert.equal(sequence, '2')
    assert.deepEqual(bench.clock.pendingMs, [300_000])
  })

  test('is polled neither before the least interval nor all at one moment', async () => {
    await using store = openTestStore()
    for (const [fraction, delayMs] of [
      [0, 270_000],
      [1, 330_000],
    ] as const) {
      const bench = await new TestFederation(store, fraction).start()
      await bench.establish(bundleOf({ refreshHintSeconds: 300 }), { bundle: encodeTrustBundle(bundleOf()) })
      assert.deepEqual(bench.clock.pendingMs, [delayMs])
      await bench.establish(bundleOf({ refreshHintSeconds: 1, sequence: 2n }))
      assert.ok(bench.clock.pendingMs.every((pendingMs) => pendingMs >= 60_000))
      await bench.federation[Symbol.asyncDispose]()
    }
  })
})
