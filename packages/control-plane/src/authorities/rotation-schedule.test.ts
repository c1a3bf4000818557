import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { nextScheduledAct, type ScheduledAct, type ScheduledAuthority } from './rotation-schedule.ts'

const START = Date.UTC(2026, 0, 1)
const DAY = 86_400_000

function authority(change: Partial<ScheduledAuthority> = {}): ScheduledAuthority {
  const notAfter = new Date(START + 30 * DAY)
  return { kind: 'x509', state: 'active', preparedAt: new Date(START), notAfter, upstream: false, ...change }
}

const jwt = authority({ kind: 'jwt' })
const prepared = authority({
  state: 'prepared',
  preparedAt: new Date(START + 15 * DAY),
  notAfter: new Date(START + 45 * DAY),
})

function act(day: number, authorities: readonly ScheduledAuthority[], upstreamEndsAtMs?: number): ScheduledAct {
  return nextScheduledAct({ nowMs: START + day * DAY, authorities, upstreamEndsAtMs })
}

suite('the calendar of authorities', () => {
  test('has nothing to do in the first half of their life, and looks again soon', () => {
    assert.deepEqual(act(14, [authority(), jwt]), { kind: 'wait', untilMs: START + 14 * DAY + 600_000 })
  })

  test('waits until the very instant when that is near', () => {
    assert.deepEqual(act(15 - 1 / 1440, [authority(), jwt]), { kind: 'wait', untilMs: START + 15 * DAY })
  })

  test('prepares a successor of each kind at half life, once', () => {
    assert.deepEqual(act(15, [authority(), jwt]), { kind: 'prepare', of: 'x509' })
    assert.deepEqual(act(15, [authority(), prepared, jwt]), { kind: 'prepare', of: 'jwt' })
    const both = [authority(), prepared, jwt, { ...prepared, kind: 'jwt' as const }]
    assert.equal(act(15, both).kind, 'wait')
  })

  test('prepares again when the successor has expired unused', () => {
    const late = authority({ notAfter: new Date(START + 100 * DAY) })
    const stale = { ...prepared, notAfter: new Date(START + 60 * DAY) }
    assert.deepEqual(act(60, [late, stale]), { kind: 'prepare', of: 'x509' })
  })

  test('rotates at five sixths, the kinds that are due together, prepared or not', () => {
    assert.deepEqual(act(25, [authority(), prepared, jwt]), { kind: 'rotate', of: ['x509', 'jwt'] })
    const young = authority({
      kind: 'jwt',
      preparedAt: new Date(START + 20 * DAY),
      notAfter: new Date(START + 50 * DAY),
    })
    assert.deepEqual(act(25, [authority(), young]), { kind: 'rotate', of: ['x509'] })
  })

  test('does not rotate towards an upstream that ends with the present one, and says so', () => {
    const same = START + 30 * DAY
    assert.equal(act(14, [authority()], same).kind, 'wait')
    assert.deepEqual(act(15, [authority()], same).kind, 'stuck')
    assert.deepEqual(act(26, [authority()], same).kind, 'stuck')
    assert.deepEqual(act(26, [authority()], START + 60 * DAY), { kind: 'rotate', of: ['x509'] })
    assert.deepEqual(act(26, [authority(), jwt], same), { kind: 'rotate', of: ['jwt'] }, 'tokens know no upstream')
  })

  test('uses what is prepared although the upstream ends soon', () => {
    assert.deepEqual(act(26, [authority(), prepared], START + 30 * DAY), { kind: 'rotate', of: ['x509'] })
  })

  test('never rests beyond the next thing to do, nor for long', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 30, noNaN: true }), (day) => {
        const nowMs = START + day * DAY
        const found = nextScheduledAct({ nowMs, authorities: [authority(), prepared], upstreamEndsAtMs: undefined })
        if (found.kind !== 'wait') return assert.ok(day >= 25)
        assert.ok(found.untilMs > nowMs && found.untilMs <= nowMs + 600_000 && found.untilMs <= START + 25 * DAY)
      }),
    )
  })
})
