import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { createBundleSource, type BundleSource } from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { createWatch, systemClock } from '@picket/runtime'
import { FakeClock } from '@picket/runtime/testing'
import { createAppProbe } from './app-probe.ts'
import { createReadiness, isGuarding, type ReadinessReason } from './readiness.ts'
import type { SvidLife } from './svid-life.ts'

const authority = createTestAuthority('bank.test')

test('each condition gives its reason, and listeners hear changes only', () => {
  using readiness = createReadiness()
  const seen: string[] = []
  readiness.subscribe((reasons) => seen.push(reasons.join()))
  assert.deepEqual(readiness.value, ['no_svid'])

  const life = createWatch<SvidLife>('fresh')
  const bundles = createWatch<BundleSource>(createBundleSource([]))
  const policy = createWatch<object | undefined>(undefined)
  const appReachable = createWatch(false)
  readiness.follow({ life, svid: createWatch(authority.issueSvid('/payments')), bundles, policy, appReachable })
  bundles.set(authority.bundles)
  policy.set({})
  policy.set({})
  appReachable.set(true)
  life.set('half')
  life.set('critical')
  life.set('expired')
  life.set('fresh')
  readiness.drain()
  assert.deepEqual(seen, [
    'no_trust_bundle,no_policy,app_unreachable',
    'no_policy,app_unreachable',
    'app_unreachable',
    '',
    'svid_expiring',
    'svid_expired',
    '',
    'draining',
  ])
})

test('without inbound neither policy nor app matter', () => {
  using readiness = createReadiness()
  readiness.follow({
    life: createWatch<SvidLife>('fresh'),
    svid: createWatch(authority.issueSvid('/payments')),
    bundles: createWatch(authority.bundles),
    policy: undefined,
    appReachable: undefined,
  })
  assert.deepEqual(readiness.value, [])
})

test('a guard without its app guards already', () => {
  const table: readonly [readonly ReadinessReason[], boolean][] = [
    [[], true],
    [['app_unreachable'], true],
    [['no_policy', 'app_unreachable'], false],
    [['draining'], false],
  ]
  for (const [reasons, guarding] of table) assert.equal(isGuarding(reasons), guarding)
})

test('the probe sees an app come and go, and looks at most once a second', async () => {
  const clock = new FakeClock()
  let taken = 0
  const app = createServer((socket) => (socket.destroy(), (taken += 1)))
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve))
  app.unref()
  const address = { host: '127.0.0.1', port: (app.address() as AddressInfo).port }
  const probe = createAppProbe(clock, address)
  const looking = probe.probe()
  assert.equal(probe.probe(), looking)
  assert.equal(await looking, true)
  assert.equal(await probe.probe(), true)
  await new Promise<void>((resolve) => app.close(() => resolve()))
  assert.equal(taken, 1)
  assert.equal(await probe.probe(), true)
  await clock.advance(1000)
  assert.equal(await probe.probe(), false)
  assert.equal(probe.reachable.value, false)
})

test('the probe goes on until it is stopped', async () => {
  const stop = new AbortController()
  const probe = createAppProbe(systemClock, { host: '127.0.0.1', port: 1 })
  const running = probe.run(stop.signal)
  assert.equal(await probe.probe(), false)
  stop.abort()
  await running
})
