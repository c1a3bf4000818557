import assert from 'node:assert/strict'
import { gzipSync } from 'node:zlib'
import { suite, test } from 'node:test'
import { BUNDLE_LIMITS, replaceBundleData } from '@picket/policy'
import { readShippedBundle } from '@picket/policy/testing'
import { FakeClock, createRecordingLogger } from '@picket/runtime/testing'
import { createPolicies, type Policies } from './policies.ts'
import { openTestStore } from './testing.ts'

const shipped = await readShippedBundle()

/** The shipped policy with other data. */
function revised(revision: string, roles: Record<string, string[]> = {}): Promise<Buffer> {
  return replaceBundleData(shipped, { roles, routes: {} }, { revision })
}

async function inPolicies(
  body: (policies: Policies, reopen: () => Promise<Policies>, clock: FakeClock) => Promise<void>,
): Promise<void> {
  await using store = openTestStore()
  const clock = new FakeClock()
  const open = (): Promise<Policies> => createPolicies({ store, clock, logger: createRecordingLogger() })
  await body(await open(), open, clock)
}

suite('pushed policies', () => {
  test('are proved, kept, and listed with the newest first; the last one is active, also after a restart', () =>
    inPolicies(async (policies, reopen, clock) => {
      const first = await policies.push(await revised('r1'), 'alice')
      await clock.advance(1000)
      await policies.push(await revised('r2'), 'bob')
      const list = await policies.list()
      assert.deepEqual(
        list.map(({ revision, pushedBy, active }) => [revision, pushedBy, active]),
        [
          ['r2', 'bob', true],
          ['r1', 'alice', false],
        ],
      )
      assert.deepEqual(list[1], { ...first, active: false })
      assert.deepEqual((await reopen()).active.value, policies.active.value)
      assert.equal(policies.active.value?.revision, 'r2')
    }))

  test('pushed again are active again, under their first date', () =>
    inPolicies(async (policies) => {
      const [r1, r2] = [await revised('r1'), await revised('r2')]
      for (const bundle of [r1, r2, r1]) await policies.push(bundle, 'alice')
      assert.equal(policies.active.value?.revision, 'r1')
      assert.deepEqual(
        (await policies.list()).map(({ revision, active }) => [revision, active]),
        [
          ['r2', false],
          ['r1', true],
        ],
      )
    }))

  test('do not change under the same revision', () =>
    inPolicies(async (policies) => {
      const original = await revised('r1')
      await policies.push(original, 'alice')
      const other = policies.push(await revised('r1', { '/gateway': ['root'] }), 'mallory')
      await assert.rejects(other, { code: 'ERR_POLICY_CONFLICT' })
      assert.ok(policies.active.value?.bytes.equals(original))
      assert.equal((await policies.list()).length, 1)
    }))

  test('at one time take effect in the order in which they came', () =>
    inPolicies(async (policies) => {
      const bundles = await Promise.all(['r1', 'r2', 'r3', 'r4'].map((revision) => revised(revision)))
      await Promise.all(bundles.map((bundle) => policies.push(bundle, 'alice')))
      assert.equal(policies.active.value?.revision, 'r4')
    }))

  const refused: [string, () => Buffer | Promise<Buffer>, string][] = [
    ['nothing', () => Buffer.alloc(0), 'ERR_BUNDLE_FORMAT'],
    ['a text', () => Buffer.from('package picket.authz'), 'ERR_BUNDLE_FORMAT'],
    ['half a bundle', () => shipped.subarray(0, shipped.length / 2), 'ERR_BUNDLE_TRUNCATED'],
    ['a gzip of something else', () => gzipSync(Buffer.from('not a tar'.repeat(200))), 'ERR_BUNDLE_'],
    ['a bomb', () => gzipSync(Buffer.alloc(BUNDLE_LIMITS.uncompressedBytes + 1024)), 'ERR_BUNDLE_TOO_LARGE'],
    [
      'a bundle without its last bytes',
      () => revised('good').then((good) => good.subarray(0, -8)),
      'ERR_BUNDLE_TRUNCATED',
    ],
    ['an altered module', () => Buffer.from(shipped).fill(0, 2000, 2100), 'ERR_BUNDLE_'],
  ]
  for (const [what, make, reason] of refused) {
    test(`are refused when they are ${what}, and nothing has changed`, () =>
      inPolicies(async (policies) => {
        await policies.push(await revised('good'), 'alice')
        const [active, list] = [policies.active.value, await policies.list()]
        await assert.rejects(policies.push(await make(), 'mallory'), (thrown: { code: string; reason?: string }) =>
          (thrown.reason ?? thrown.code).startsWith(reason),
        )
        assert.equal(policies.active.value, active)
        assert.deepEqual(await policies.list(), list)
      }))
  }
})
