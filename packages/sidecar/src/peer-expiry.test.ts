import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock } from '@picket/runtime/testing'
import { watchExpiry } from './peer-expiry.ts'

const HOUR_MS = 3_600_000

function start(lifeMs: number) {
  const clock = new FakeClock()
  const calls: string[] = []
  const on = { lastCall: () => void calls.push('last call'), end: () => void calls.push('end') }
  const watch = watchExpiry(clock, new Date(clock.now() + lifeMs), on)
  return { clock, calls, watch }
}

test('calls ten seconds before the end, and at the end', async () => {
  const { clock, calls } = start(HOUR_MS)
  await clock.advance(HOUR_MS - 10_001)
  assert.deepEqual(calls, [])
  await clock.advance(1)
  assert.deepEqual(calls, ['last call'])
  await clock.advance(10_000)
  assert.deepEqual(calls, ['last call', 'end'])
  assert.deepEqual(clock.pendingMs, [])
})

test('a short life keeps nine tenths; one that is over ends at once', async () => {
  const short = start(1_000)
  await short.clock.advance(900)
  assert.deepEqual(short.calls, ['last call'])
  const over = start(-1)
  await over.clock.advance(1)
  assert.deepEqual(over.calls, ['end'])
})

test('no life is too long for the timers', async () => {
  const { clock, calls } = start(60 * 24 * HOUR_MS)
  await clock.advance(24 * HOUR_MS)
  assert.deepEqual(calls, [])
  assert(Math.max(...clock.pendingMs) <= 30_000)
})

test('nothing is called after disposal', async () => {
  const { clock, calls, watch } = start(HOUR_MS)
  await clock.advance(HOUR_MS / 2)
  watch[Symbol.dispose]()
  await clock.advance(HOUR_MS)
  assert.deepEqual(calls, [])
})
