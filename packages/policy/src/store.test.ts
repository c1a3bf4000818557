import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { replaceBundleData } from './build.ts'
import { createPolicyConnection } from './connection.ts'
import { DECISION_REASONS, DENY_STATUS, denyWithoutPolicy } from './decision.ts'
import { PolicyError } from './error.ts'
import { createPolicyStore, type PolicyStore } from './store.ts'
import { createTestContext, createTestHead, readShippedBundle } from './testing.ts'

const shipped = await readShippedBundle()
/** The shipped policy without its routes: health checks are all that is left. */
const frozen = await replaceBundleData(shipped, { roles: {}, routes: {} }, { revision: 'frozen' })

const connection = createPolicyConnection(createTestContext())
const head = createTestHead('GET /accounts/alice')
const kindIn = ({ engine }: PolicyStore): string => (engine.value?.decide(connection, head) ?? denyWithoutPolicy()).kind

describe('a policy store', () => {
  test('denies everything until something is activated', () => {
    const { kind, reason, revision } = denyWithoutPolicy()
    assert.deepEqual([kind, reason, revision], ['deny', 'policy_missing', ''])
    assert.equal(createPolicyStore().engine.value, undefined)
  })

  test('swaps revisions, and live connections follow', async () => {
    const store = createPolicyStore()
    const seen: (string | undefined)[] = []
    using _ = store.engine.subscribe((engine) => seen.push(engine?.revision))
    const first = await store.activate(shipped)
    assert.equal(kindIn(store), 'allow')
    await store.activate(frozen)
    assert.equal(kindIn(store), 'deny')
    await store.activate(shipped)
    assert.equal(kindIn(store), 'allow')
    assert.deepEqual(seen, [first.revision, 'frozen', first.revision])
  })

  test('keeps the last good revision when an update is refused, whatever is wrong with it', async () => {
    const store = createPolicyStore()
    const good = await store.activate(shipped)
    const bad: readonly (readonly [string, Uint8Array])[] = [
      ['ERR_BUNDLE_FORMAT', Buffer.from('package picket.authz')],
      ['ERR_BUNDLE_TRUNCATED', shipped.subarray(0, 5_000)],
      ['ERR_BUNDLE_TOO_LARGE', Buffer.alloc(16 * 1024 * 1024 + 1)],
    ]
    for (const [code, bytes] of bad) {
      await assert.rejects(store.activate(bytes), (thrown) => thrown instanceof PolicyError && thrown.code === code)
      assert.equal(store.engine.value, good)
      assert.equal(kindIn(store), 'allow')
    }
    await assert.rejects(createPolicyStore({ entrypoint: 'other/allow' }).activate(shipped), {
      code: 'ERR_POLICY_ENTRYPOINT',
    })
  })

  test('leaves the engine alone when it is given what it has', async () => {
    const store = createPolicyStore()
    const first = await store.activate(shipped)
    assert.equal(await store.activate(Buffer.from(shipped)), first)
  })

  test('ends with what was asked for last, though something before it takes longer or fails', async () => {
    const store = createPolicyStore()
    const results = await Promise.allSettled([
      store.activate(frozen),
      store.activate(shipped.subarray(0, 5_000)),
      store.activate(shipped),
      store.activate(frozen),
    ])
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
    )
    assert.equal(store.engine.value?.revision, 'frozen')
  })

  test('ends with the later of two, though the earlier is much larger', async () => {
    const roles = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`/service-${i}`, ['role']]))
    const large = await replaceBundleData(shipped, { roles, routes: {} }, { revision: 'large' })
    const store = createPolicyStore()
    await Promise.all([store.activate(large), store.activate(frozen)])
    assert.equal(store.engine.value?.revision, 'frozen')
  })

  test('ends an engine that it has replaced', async () => {
    const store = createPolicyStore()
    const replaced = await store.activate(shipped)
    await store.activate(frozen)
    assert.equal(replaced.decide(connection, head).reason, 'policy_error')
  })
})

describe('new data for a compiled policy', () => {
  test('makes a revision of its own, the same for the same data', async () => {
    const [one, two, other] = await Promise.all([
      replaceBundleData(shipped, { roles: {}, routes: {} }),
      replaceBundleData(shipped, { roles: {}, routes: {} }),
      replaceBundleData(shipped, { roles: { '/a': ['b'] }, routes: {} }),
    ])
    assert.deepEqual(one, two)
    assert.notDeepEqual(one, other)
    const store = createPolicyStore()
    assert.notEqual((await store.activate(one)).revision, (await store.activate(other)).revision)
  })

  test('stays within the roots of the original', async () => {
    await assert.rejects(replaceBundleData(shipped, { others: {} }), { code: 'ERR_BUNDLE_DATA' })
    await assert.rejects(replaceBundleData(shipped, []), { code: 'ERR_BUNDLE_DATA' })
    await assert.rejects(replaceBundleData(shipped, {}, { revision: 'a b' }), { code: 'ERR_BUNDLE_MANIFEST' })
  })
})

test('every denial has a status that is no success', () => {
  assert.equal(DECISION_REASONS.length, 1 + Object.keys(DENY_STATUS).length)
  for (const status of Object.values(DENY_STATUS)) assert(status >= 400 && status < 600)
})
