import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { backoffMs } from './backoff.ts'
import { jitter } from './random.ts'
import { createFakeRandom } from './testing.ts'

const LIMITS = { firstMs: 100, maxMs: 5000 }

test('doubles from attempt to attempt up to the limit', () => {
  const highest = createFakeRandom(1)
  assert.deepEqual(
    [1, 2, 3, 6, 7, 50].map((attempt) => backoffMs(attempt, LIMITS, highest)),
    [100, 200, 400, 3200, 5000, 5000],
  )
})

test('stays between half the ceiling and the ceiling for every attempt and every draw', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (attempt, draw) => {
        const delay = backoffMs(attempt, LIMITS, createFakeRandom(draw))
        assert.ok(delay >= LIMITS.firstMs / 2 && delay <= LIMITS.maxMs, String(delay))
      },
    ),
  )
})

test('jitter moves a value by at most its share, evenly to both sides', () => {
  assert.equal(jitter(1000, 0.1, createFakeRandom(0)), 900)
  assert.equal(jitter(1000, 0.1, createFakeRandom(0.5)), 1000)
  assert.ok(Math.abs(jitter(1000, 0.1, createFakeRandom(0.999_999)) - 1100) < 0.01)
})
