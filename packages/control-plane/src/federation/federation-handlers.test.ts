import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { encodeTrustBundle } from '@picket/identity'
import type { SetRelationshipRequest } from '@picket/rpc'
import { settle } from '@picket/runtime/testing'
import { failFetch } from './federation-failure.ts'
import { openTestStore } from '../testing.ts'
import { bundleOf, caller, endpointSpiffeId, own, partner, TestFederation } from './testing-federation.ts'

suite('an https_spiffe endpoint', () => {
  const spiffe = { profile: 'https_spiffe', endpointSpiffeId }

  test('of the domain itself needs a bundle to begin with', async () => {
    await using store = openTestStore()
    const bench = await new TestFederation(store).start()
    await assert.rejects(bench.set(spiffe), { code: 'ERR_RPC_INVALID', message: /--bundle/ })
    for (const bundle of ['garbage', '{}']) {
      await assert.rejects(bench.set({ ...spiffe, bundle }), { code: 'ERR_RPC_INVALID' })
    }
    assert.equal(bench.fetches.length, 0)
    assert.deepEqual(await store.loadRelationships(), [])
  })

  test('proves itself with the operator’s bundle, then with the newest that was fetched', async () => {
    await using store = openTestStore()
    const bench = await new TestFederation(store).start()
    const set = bench.set({ ...spiffe, bundle: encodeTrustBundle(bundleOf({ sequence: 1n })) })
    await settle()
    assert.equal(bench.newest.bundles.bundleFor(partner.trustDomain)?.sequence, 1n)
    const restarted = await bench.restart()
    assert.equal(restarted.newest.bundles.bundleFor(partner.trustDomain)?.sequence, 1n, 'kept before any fetch')
    await bench.newest.succeed(bundleOf({ sequence: 2n }))
    await set
    await bench.clock.advance(300_000)
    assert.equal(bench.newest.bundles.bundleFor(partner.trustDomain)?.sequence, 2n)
  })

  test('of another domain proves itself with that domain’s bundle, ours included', async () => {
    await using store = openTestStore()
    const bench = await new TestFederation(store).start()
    void bench.set({ ...spiffe, endpointSpiffeId: 'spiffe://bank.test/bundles' })
    await settle()
    assert.equal(bench.newest.bundles.bundleFor(own.trustDomain), own)
    assert.equal(bench.newest.bundles.bundleFor(partner.trustDomain), undefined)
  })
})

suite('federation', () => {
  test('refuses what is no relationship, and changes nothing', async () => {
    await using store = openTestStore()
    const bench = await new TestFederation(store).start()
    const refused: Partial<SetRelationshipRequest>[] = [
      { trustDomain: 'bank.test' },
      { trustDomain: '' },
      { url: 'http://partner.test/' },
      { url: 'https://user@partner.test/' },
      { profile: 'https' },
      { bundle: '{"keys": 1}' },
    ]
    for (const change of refused) await assert.rejects(bench.set(change), { code: 'ERR_RPC_INVALID' })
    assert.deepEqual([bench.fetches.length, await bench.federation.handlers.list(caller)], [0, []])
  })

  test('keeps the bundles of two domains apart, though their keys are the same', async () => {
    await using store = openTestStore()
    const bench = await new TestFederation(store).start()
    await bench.establish()
    await bench.establish(bundleOf(), { trustDomain: 'other.test' })
    const { value } = bench.federation.bundles
    assert.deepEqual([...value.keys()].sort(), ['other.test', 'partner.test'])
    for (const [name, { trustDomain }] of value) assert.equal(trustDomain.name, name)
  })

  test('leaves a stored relationship that it cannot read aside, and uses the others', async () => {
    await using store = openTestStore()
    const broken = { url: 'ftp://x', profile: 'https_web', endpointId: '', bundle: undefined, fetchedAtMs: 0 }
    await store.saveRelationship({ ...broken, trustDomain: 'broken.test' }, { atMs: 1, by: 'test' })
    const sound = { ...broken, url: 'https://partner.test/', trustDomain: 'partner.test' }
    await store.saveRelationship(sound, { atMs: 1, by: 'test' })
    const bench = await new TestFederation(store).start()
    assert.equal((await bench.only()).trustDomain, 'partner.test')
    assert.ok(bench.logger.entries.some(({ level }) => level === 'error'))
  })

  test('uses a bundle that the store fails to keep', async () => {
    await using store = openTestStore()
    const bench = await new TestFederation(store).start()
    await bench.establish()
    Object.assign(store, { saveFetch: () => Promise.reject(new Error('disk full')) })
    await bench.clock.advance(300_000)
    await bench.newest.succeed(bundleOf({ sequence: 2n }))
    assert.equal(bench.held?.sequence, 2n)
    assert.ok(bench.logger.entries.some(({ level, fields }) => level === 'error' && fields['error'] === 'disk full'))
    assert.deepEqual(bench.clock.pendingMs, [300_000])
  })

  test('stops without leaving a timer or a fetch', async () => {
    await using store = openTestStore()
    const bench = await new TestFederation(store).start()
    await bench.establish()
    await bench.clock.advance(300_000)
    const stopped = bench.federation[Symbol.asyncDispose]()
    assert.equal(bench.newest.signal.aborted, true)
    await bench.newest.fail()
    await stopped
    assert.deepEqual(bench.clock.pendingMs, [])
  })

  test('tells which domains entries federate with in vain', async () => {
    await using store = openTestStore()
    const bench = await new TestFederation(store).start()
    await bench.establish()
    const named = (...names: string[]): void => {
      const federatedNames = (): Promise<string[]> => Promise.resolve(names)
      Object.assign(store, { federatedNames })
    }
    named('other.test', 'partner.test')
    const [other, partnerItem, ...rest] = await bench.federation.handlers.list(caller)
    assert.deepEqual(
      [other?.trustDomain, other?.hasBundle, other?.failureCode],
      ['other.test', false, 'no-relationship'],
    )
    assert.deepEqual([partnerItem?.trustDomain, partnerItem?.hasBundle, rest], ['partner.test', true, []])
    const missing = async (): Promise<string | undefined> => {
      bench.metrics.render()
      await settle()
      return /picket_federation_missing_bundles (\d+)/.exec(bench.metrics.render())?.[1]
    }
    assert.equal(await missing(), '1')
    named('partner.test')
    assert.equal(await missing(), '0')
  })

  test('records who changed what', async () => {
    await using store = openTestStore()
    const bench = await new TestFederation(store).start()
    await bench.establish()
    await bench.federation.handlers.delete('partner.test', caller)
    const said = bench.logger.entries.filter(({ fields }) => fields['by'] === 'spiffe://bank.test/picket/operator')
    assert.deepEqual(
      said.map(({ message }) => message),
      ['federation relationship set', 'federation relationship deleted'],
    )
  })

  test('measures each relationship, and takes back the series of one that is gone', async () => {
    await using store = openTestStore()
    const bench = await new TestFederation(store).start()
    await bench.establish(bundleOf({ sequence: 3n }))
    await bench.clock.advance(300_000)
    await bench.newest.fail(failFetch('wrong-endpoint', 'wrong-id'))
    const [labels, rendered] = ['{trust_domain="partner.test"}', bench.metrics.render()]
    for (const line of [
      `picket_federation_bundle_held${labels} 1`,
      `picket_federation_failing${labels} 1`,
      `picket_federation_bundle_sequence${labels} 3`,
      `picket_federation_last_success_timestamp_seconds${labels} ${(bench.clock.now() - 300_000) / 1000}`,
      'picket_federation_authorities{trust_domain="partner.test",kind="x509"} 1',
      'picket_federation_fetch_failures_total{trust_domain="partner.test",code="wrong-endpoint"} 1',
    ]) {
      assert.ok(rendered.includes(`${line}\n`), line)
    }
    await bench.federation.handlers.delete('partner.test', caller)
    assert.match(bench.metrics.render(), /picket_federation_bundle_held\{trust_domain="partner\.test"\} NaN/)
  })
})
