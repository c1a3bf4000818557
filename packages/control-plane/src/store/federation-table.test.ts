import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseTrustDomain } from '@picket/identity'
import { silentLogger, systemClock, systemRandom } from '@picket/runtime'
import { createEntries } from '../registration/entries.ts'
import { openTestStore } from '../testing.ts'

const plain = { url: 'https://a.test/', profile: 'https_web', endpointId: '', bundle: undefined, fetchedAtMs: 0 }
const set = { atMs: 1, by: 'operator' }

test('a relationship is kept once for each trust domain, with its newest bundle', async () => {
  await using store = openTestStore()
  await store.saveRelationship({ ...plain, trustDomain: 'b.test' }, set)
  await store.saveRelationship({ ...plain, trustDomain: 'a.test', bundle: 'first', fetchedAtMs: 5 }, set)
  await store.saveFetch('b.test', 6, 'fetched')
  await store.saveFetch('b.test', 7)
  const spiffe = { url: 'https://c.test/', profile: 'https_spiffe', endpointId: 'spiffe://a.test/x' }
  await store.saveRelationship({ ...plain, ...spiffe, trustDomain: 'a.test' }, set)
  assert.deepEqual(await store.loadRelationships(), [
    { ...plain, ...spiffe, trustDomain: 'a.test' },
    { ...plain, trustDomain: 'b.test', bundle: 'fetched', fetchedAtMs: 7 },
  ])
  await store.deleteRelationship('a.test')
  await store.saveFetch('a.test', 9, 'late')
  assert.deepEqual(
    (await store.loadRelationships()).map(({ trustDomain }) => trustDomain),
    ['b.test'],
  )
})

test('the trust domains that entries federate with are known, each once', async () => {
  await using store = openTestStore()
  const deps = { store, clock: systemClock, random: systemRandom, logger: silentLogger }
  const entries = createEntries(deps, parseTrustDomain('bank.test'))
  const register = (name: string, ...federatesWith: string[]): ReturnType<typeof entries.create> =>
    entries.create(
      {
        spiffeId: `spiffe://bank.test/${name}`,
        selectors: [`service:${name}`],
        ttlSeconds: 0,
        dnsNames: [],
        hint: '',
        service: '',
        federatesWith,
      },
      'operator',
    )
  await register('one')
  assert.deepEqual(await store.federatedNames(), [])
  await register('two', 'b.test', 'a.test')
  const { id } = await register('three', 'c.test', 'a.test')
  assert.deepEqual(await store.federatedNames(), ['a.test', 'b.test', 'c.test'])
  await entries.delete(id, 'operator')
  assert.deepEqual(await store.federatedNames(), ['a.test', 'b.test'])
})
