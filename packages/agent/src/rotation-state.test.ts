import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createFakeRandom } from '@picket/runtime/testing'
import {
  initialRotation,
  nextRotation,
  RENEWAL_RETRY,
  type RotationEvent,
  type RotationState,
} from './rotation-state.ts'

const HOUR = { notBeforeMs: 0, notAfterMs: 3_600_000 }
const LATER = { notBeforeMs: 1_800_000, notAfterMs: 5_400_000 }
const middle = createFakeRandom(0.5)

const waiting: RotationState = { kind: 'waiting', lifetime: HOUR, failures: 0, untilMs: 1_800_000 }
const renewing: RotationState = { kind: 'renewing', lifetime: HOUR, failures: 0 }
const troubled: RotationState = { kind: 'renewing', lifetime: HOUR, failures: 4 }

const TABLE: readonly [string, RotationState, RotationEvent, RotationState][] = [
  ['the wait ends in a renewal', waiting, { kind: 'due' }, renewing],
  ['a command ends the wait', waiting, { kind: 'rotate' }, renewing],
  ['a second command starts nothing more', renewing, { kind: 'rotate' }, renewing],
  ['a late timer starts nothing more', renewing, { kind: 'due' }, renewing],
  [
    'success waits for half of what is left, and forgets the failures',
    troubled,
    { kind: 'issued', lifetime: LATER, atMs: 1_800_000 },
    { kind: 'waiting', lifetime: LATER, failures: 0, untilMs: 3_600_000 },
  ],
  [
    'the first failure waits half a second at most',
    renewing,
    { kind: 'failed', atMs: 1_800_000 },
    { kind: 'waiting', lifetime: HOUR, failures: 1, untilMs: 1_800_375 },
  ],
  [
    'the fifth failure waits sixteen times as long',
    troubled,
    { kind: 'failed', atMs: 1_800_000 },
    { kind: 'waiting', lifetime: HOUR, failures: 5, untilMs: 1_806_000 },
  ],
  [
    'the tenth failure waits the longest time',
    { ...renewing, failures: 9 },
    { kind: 'failed', atMs: 1_800_000 },
    { kind: 'waiting', lifetime: HOUR, failures: 10, untilMs: 1_822_500 },
  ],
  [
    'close to expiry it waits half of what is left',
    { ...renewing, failures: 9 },
    { kind: 'failed', atMs: 3_590_000 },
    { kind: 'waiting', lifetime: HOUR, failures: 10, untilMs: 3_595_000 },
  ],
  [
    'at the very end it still waits half a second',
    { ...renewing, failures: 9 },
    { kind: 'failed', atMs: 3_599_900 },
    { kind: 'waiting', lifetime: HOUR, failures: 10, untilMs: 3_600_400 },
  ],
  [
    'after expiry the backoff goes on, in steps of seconds',
    { ...renewing, failures: 9 },
    { kind: 'failed', atMs: 3_700_000 },
    { kind: 'waiting', lifetime: HOUR, failures: 10, untilMs: 3_703_750 },
  ],
  ['an answer that nobody waits for changes nothing', waiting, { kind: 'failed', atMs: 9 }, waiting],
  ['an svid that nobody asked for changes nothing', waiting, { kind: 'issued', lifetime: LATER, atMs: 9 }, waiting],
]

for (const [name, state, event, expected] of TABLE) {
  test(name, () => assert.deepEqual(nextRotation(state, event, middle), expected))
}

test('renewal falls within ten percent of half life', () => {
  const early = initialRotation(HOUR, createFakeRandom(0))
  const late = initialRotation(HOUR, createFakeRandom(0.999_999))
  assert.equal(early.kind === 'waiting' && early.untilMs, 1_620_000)
  assert.ok(late.kind === 'waiting' && late.untilMs > 1_979_000 && late.untilMs <= 1_980_000)
})

const events = fc.oneof(
  fc.record({ kind: fc.constant('due' as const) }),
  fc.record({ kind: fc.constant('rotate' as const) }),
  fc.record({ kind: fc.constant('failed' as const), afterMs: fc.nat(600_000) }),
  fc.record({
    kind: fc.constant('issued' as const),
    afterMs: fc.nat(600_000),
    lifeMs: fc.integer({ min: 1, max: 1e9 }),
  }),
)

test('whatever happens, a wait is never shorter than half the first delay nor longer than the life or the backoff', () => {
  fc.assert(
    fc.property(
      fc.array(events, { maxLength: 60 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (happened, dice) => {
        const random = createFakeRandom(dice)
        let state = initialRotation(HOUR, random)
        let nowMs = 0
        for (const event of happened) {
          if ('afterMs' in event) nowMs += event.afterMs
          const before = state
          state = nextRotation(before, toEvent(event, nowMs), random)
          if (state === before) continue
          if (state.kind === 'renewing') assert.equal(before.kind, 'waiting')
          else {
            const waitMs = state.untilMs - nowMs
            assert.ok(waitMs >= RENEWAL_RETRY.firstMs / 2, `waits ${waitMs}`)
            if (state.failures > 0) assert.ok(waitMs <= RENEWAL_RETRY.maxMs)
            else assert.ok(waitMs <= Math.max(RENEWAL_RETRY.firstMs, 0.55 * (state.lifetime.notAfterMs - nowMs) + 1))
          }
        }
      },
    ),
  )
})

function toEvent(event: { kind: RotationEvent['kind']; lifeMs?: number }, atMs: number): RotationEvent {
  if (event.kind === 'issued') {
    return { kind: 'issued', atMs, lifetime: { notBeforeMs: atMs - 30_000, notAfterMs: atMs + (event.lifeMs ?? 0) } }
  }
  return event.kind === 'failed' ? { kind: 'failed', atMs } : { kind: event.kind }
}
