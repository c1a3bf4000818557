import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  AUTHORITY_KINDS,
  emptySlots,
  next,
  type AuthorityKind,
  type AuthoritySlot,
  type AuthoritySlots,
  type SlotEvent,
} from './authority-slots.ts'
import { encodeAuthorityState, parseAuthorityState } from './authority-state.ts'
import { MAX_AUTHORITIES } from './profile.ts'

const START_MS = Date.UTC(2026, 0, 1)
const DAY_MS = 86_400_000
const at = (days: number): Date => new Date(START_MS + days * DAY_MS)
const keyId = (number: number): string => number.toString(16).padStart(40, '0')

const slot = (number: number, kind: AuthorityKind = 'x509', preparedDay = 0): AuthoritySlot => ({
  kind,
  keyId: keyId(number),
  algorithm: 'ec-p256',
  state: 'prepared',
  tainted: false,
  preparedAt: at(preparedDay),
  activatedAt: undefined,
  notBefore: at(preparedDay),
  notAfter: at(preparedDay + 30),
  upstream: false,
})

const run = (slots: AuthoritySlots, ...events: readonly (readonly [number, SlotEvent])[]): AuthoritySlots =>
  events.reduce((state, [day, event]) => next(state, event, at(day)), slots)
const prepare = (number: number, kind: AuthorityKind = 'x509', day = 0): SlotEvent => ({
  kind: 'prepare',
  slot: slot(number, kind, day),
})
const activate = (of: AuthorityKind = 'x509', number?: number): SlotEvent => ({
  kind: 'activate',
  of,
  keyId: number === undefined ? undefined : keyId(number),
})
const taint = (number: number): SlotEvent => ({ kind: 'taint', of: 'x509', keyId: keyId(number) })
const revoke = (number: number): SlotEvent => ({ kind: 'revoke', of: 'x509', keyId: keyId(number) })
const states = ({ authorities }: AuthoritySlots): string[] =>
  authorities.map((one) => `${one.kind} ${Number.parseInt(one.keyId, 16)} ${one.state}${one.tainted ? ' tainted' : ''}`)

const empty = emptySlots('bank.test', 'ec-p256')
const first = run(empty, [0, prepare(1)], [0, activate()])
const rotated = run(first, [15, prepare(2, 'x509', 15)], [25, activate()])

test('a rotation: prepared, active, and the one before old', () => {
  assert.deepEqual(states(first), ['x509 1 active'])
  assert.deepEqual(states(run(first, [15, prepare(2)])), ['x509 1 active', 'x509 2 prepared'])
  assert.deepEqual(states(rotated), ['x509 1 old', 'x509 2 active'])
  assert.deepEqual(rotated.authorities[1]!.activatedAt, at(25))
  assert.deepEqual(states(run(rotated, [26, taint(1)])), ['x509 1 old tainted', 'x509 2 active'])
  assert.deepEqual(states(run(rotated, [26, taint(1)], [26, revoke(1)])), ['x509 2 active'])
})

test('the kinds do not touch each other', () => {
  const both = run(first, [0, prepare(9, 'jwt')], [0, activate('jwt')], [1, prepare(2)], [2, activate()])
  assert.deepEqual(states(both), ['x509 1 old', 'jwt 9 active', 'x509 2 active'])
})

test('another that is prepared takes the place of the one that was', () => {
  assert.deepEqual(states(run(first, [1, prepare(2)], [2, prepare(3)])), ['x509 1 active', 'x509 3 prepared'])
})

test('what was done before changes nothing: the very same state comes back', () => {
  assert.equal(next(first, activate('x509', 1), at(1)), first)
  const tainted = run(rotated, [26, taint(1)])
  assert.equal(next(tainted, taint(1), at(27)), tainted)
  assert.equal(next(first, { kind: 'prune' }, at(1)), first)
  assert.equal(next(first, { kind: 'svid-algorithm', algorithm: 'ec-p256' }, at(1)), first)
})

const REFUSED: readonly (readonly [string, AuthoritySlots, number, SlotEvent])[] = [
  ['activating where nothing is prepared', first, 1, activate()],
  ['activating one of another kind', run(first, [1, prepare(2)]), 1, activate('jwt')],
  ['activating a key that is not the prepared one', run(first, [1, prepare(2)]), 1, activate('x509', 3)],
  ['activating an old one again', rotated, 26, activate('x509', 1)],
  ['activating one that has expired', run(first, [1, prepare(2)]), 31, activate()],
  ['tainting the active one', rotated, 26, taint(2)],
  ['tainting a prepared one', run(first, [1, prepare(2)]), 1, taint(2)],
  ['tainting one that is not there', rotated, 26, taint(7)],
  ['revoking the active one', first, 1, revoke(1)],
  ['revoking the active one after its end', first, 99, revoke(1)],
  ['revoking an old one that is neither tainted nor expired', rotated, 26, revoke(1)],
  ['revoking one that is not there', rotated, 26, revoke(7)],
]

for (const [what, slots, day, event] of REFUSED) {
  test(`refused: ${what}`, () => {
    const before = structuredClone(slots)
    assert.throws(() => next(slots, event, at(day)), { code: 'ERR_AUTHORITY_STATE' })
    assert.deepEqual(slots, before)
  })
}

test('an old one that has expired may be revoked, and is pruned a day later', () => {
  assert.deepEqual(states(run(rotated, [31, revoke(1)])), ['x509 2 active'])
  assert.deepEqual(states(run(rotated, [30.9, { kind: 'prune' }])), ['x509 1 old', 'x509 2 active'])
  assert.deepEqual(states(run(rotated, [31, { kind: 'prune' }])), ['x509 2 active'])
  assert.deepEqual(states(run(first, [99, { kind: 'prune' }])), ['x509 1 active'])
})

test('the number of authorities of a kind is bounded', () => {
  let slots = first
  for (let number = 2; number <= MAX_AUTHORITIES; number++) slots = run(slots, [1, prepare(number)], [1, activate()])
  assert.equal(slots.authorities.length, MAX_AUTHORITIES)
  assert.throws(() => run(slots, [1, prepare(99)]), { code: 'ERR_AUTHORITY_STATE', message: /revoke/ })
  run(slots, [1, prepare(99, 'jwt')])
})

test('the sequence grows with the bundle, also when the clock goes back', () => {
  const prepared = run(first, [15, prepare(2)])
  assert.equal(prepared.sequence, BigInt(at(15).getTime()))
  assert.equal(run(prepared, [1, prepare(3)]).sequence, prepared.sequence + 1n)
  assert.equal(run(prepared, [16, activate()]).sequence, prepared.sequence)
})

const eventArbitrary: fc.Arbitrary<(state: AuthoritySlots, fresh: number) => SlotEvent> = fc.oneof(
  fc.constantFrom(...AUTHORITY_KINDS).map((kind) => (_: AuthoritySlots, fresh: number) => prepare(fresh, kind)),
  fc.constantFrom(...AUTHORITY_KINDS).map((of) => () => activate(of)),
  fc.tuple(fc.constantFrom('taint', 'revoke'), fc.nat()).map(([kind, nth]) => ({ authorities }: AuthoritySlots) => {
    const one = authorities[nth % authorities.length]!
    return { kind, of: one.kind, keyId: one.keyId }
  }),
  fc.constant(() => ({ kind: 'prune' }) as const),
)

test('whatever happens in whatever order: one active of each kind, the sequence never falls, and the file holds it', () => {
  const start = run(first, [0, prepare(2, 'jwt')], [0, activate('jwt')])
  fc.assert(
    fc.property(fc.array(fc.tuple(eventArbitrary, fc.integer({ min: -5, max: 60 })), { maxLength: 60 }), (steps) => {
      let slots = start
      for (const [index, [toEvent, day]] of steps.entries()) {
        const before = slots
        try {
          slots = next(slots, toEvent(slots, 100 + index), at(day))
        } catch (thrown) {
          assert.equal((thrown as { code?: string }).code, 'ERR_AUTHORITY_STATE')
        }
        const hasSameKeys =
          before.authorities.map((one) => one.keyId).join() === slots.authorities.map((one) => one.keyId).join()
        assert.ok(hasSameKeys ? slots.sequence === before.sequence : slots.sequence > before.sequence)
        assert.deepEqual(parseAuthorityState(encodeAuthorityState(slots)), slots)
      }
    }),
    { numRuns: 200 },
  )
})
