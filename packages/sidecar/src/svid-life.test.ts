import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { X509Svid } from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { createWatch } from '@picket/runtime'
import { createRecordingLogger, FakeClock } from '@picket/runtime/testing'
import { svidLifeAt, watchSvidLife, type SvidLife } from './svid-life.ts'

const HOUR_MS = 3_600_000
const ORDER: readonly SvidLife[] = ['fresh', 'half', 'late', 'critical', 'expired']

test('the stages begin at 50, 75, 90 and 100 percent', () => {
  const at = (share: number): SvidLife => svidLifeAt(1000, 2000, 1000 + share)
  assert.deepEqual([0, 499, 500, 749, 750, 899, 900, 999, 1000].map(at), [
    'fresh',
    'fresh',
    'half',
    'half',
    'late',
    'late',
    'critical',
    'critical',
    'expired',
  ])
})

test('an svid only ever grows older', () => {
  const instants = fc.tuple(fc.nat(1e9), fc.integer({ min: 1, max: 1e9 }), fc.nat(2e9), fc.nat(1e9))
  fc.assert(
    fc.property(instants, ([fromMs, lifeMs, nowMs, laterMs]) => {
      const now = svidLifeAt(fromMs, fromMs + lifeMs, nowMs)
      const later = svidLifeAt(fromMs, fromMs + lifeMs, nowMs + laterMs)
      assert.ok(ORDER.indexOf(now) <= ORDER.indexOf(later))
      assert.equal(now === 'expired', nowMs >= fromMs + lifeMs)
    }),
  )
})

test('raises one alarm a stage, louder each time, and rests when a new svid comes', async () => {
  const clock = new FakeClock()
  const authority = createTestAuthority('bank.test', { clock })
  const issue = (): X509Svid =>
    authority.issueSvid('/payments', {
      notBefore: new Date(clock.now() - 30_000),
      notAfter: new Date(clock.now() + HOUR_MS),
    })
  const logger = createRecordingLogger()
  const svid = createWatch<X509Svid | undefined>(undefined)
  using life = watchSvidLife({ clock, logger }, svid)
  const seen: SvidLife[] = []
  life.subscribe((stage) => seen.push(stage))
  assert.equal(life.value, 'absent')
  svid.set(issue())
  await clock.advance(HOUR_MS)
  assert.deepEqual(seen, ORDER)
  assert.deepEqual(
    logger.entries.map(({ level }) => level),
    ['info', 'warn', 'error', 'error'],
  )
  svid.set(issue())
  await clock.advance(HOUR_MS / 2 - 1)
  assert.equal(life.value, 'fresh')
})

test('the life of an svid read from disk counts from its issue', () => {
  const clock = new FakeClock()
  const svid = createTestAuthority('bank.test', { clock }).issueSvid('/payments', {
    notBefore: new Date(clock.now() - HOUR_MS),
    notAfter: new Date(clock.now() + HOUR_MS / 4),
  })
  const logger = createRecordingLogger()
  using life = watchSvidLife({ clock, logger }, createWatch(svid))
  assert.equal(life.value, 'late')
  assert.equal(logger.entries.length, 1)
})
