import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { nextRotationStep, type RotationFacts, type RotationStep, type SidecarFact } from './rotation-step.ts'
import { activated, authority, DAY, facts, HOUR, MINUTE, NOW, prepared, tainted } from './testing-rotation-step.ts'

const KEYS = ['a', 'b', 'c'] as const
const anySidecar = fc.record({
  spiffeId: fc.constantFrom('spiffe://bank.test/x', 'spiffe://bank.test/y'),
  instanceId: fc.uuid(),
  trusts: fc.subarray([...KEYS]).map((keys) => new Set<string>(keys)),
  holds: fc.option(fc.subarray([...KEYS]), { nil: undefined }),
  awaitedUntilMs: fc.option(fc.integer({ min: NOW - 10, max: NOW + 10 }), { nil: undefined }),
})
const anyAuthorities = fc.constantFrom(
  [authority('a', 'active')],
  prepared,
  activated,
  tainted,
  [authority('b', 'active')],
  [authority('c', 'old', { tainted: true }), ...tainted],
)
const anyFacts = fc.record({
  nowMs: fc.constantFrom(NOW, NOW + MINUTE, NOW + DAY, NOW + 30 * DAY),
  authorities: anyAuthorities,
  svidAlgorithm: fc.constantFrom('ec-p256' as const, 'ml-dsa-65' as const),
  sidecars: fc.array(anySidecar, { maxLength: 5 }),
  settledAtMs: fc.constantFrom(0, NOW + 1, NOW + HOUR),
  own: fc.subarray([...KEYS]),
  denied: fc.subarray([...KEYS]).map((keys) => new Set<string>(keys)),
  longestMs: fc.constant({ x509: HOUR, jwt: MINUTE }),
  publishMs: fc.constantFrom(0, MINUTE, DAY),
})
const anyIntent = fc.record({
  id: fc.constant('r'),
  kinds: fc.constant(['x509'] as const),
  algorithm: fc.constant(undefined),
  svidAlgorithm: fc.constantFrom(undefined, 'ec-p256' as const, 'ml-dsa-65' as const),
  reason: fc.constantFrom('ordered' as const, 'emergency' as const, 'scheduled' as const),
  retire: fc.boolean(),
  replaces: fc.constant(['a']),
  startedAt: fc.constant(new Date(NOW)),
  deadlineAt: fc.option(fc.constantFrom(new Date(NOW), new Date(NOW + HOUR)), { nil: undefined }),
  quorum: fc.constantFrom(0, 0.5, 1),
})

suite('whatever the state', () => {
  const isHere = ({ awaitedUntilMs }: SidecarFact): boolean => awaitedUntilMs === undefined

  test('nothing is activated that a connected sidecar lacks, unless quorum, deadline or end of life say so', () => {
    fc.assert(
      fc.property(anyIntent, anyFacts, (asked, now) => {
        const step = nextRotationStep(asked, now)
        if (step.kind !== 'activate' || step.because !== 'acknowledged') return
        assert.ok(now.sidecars.filter(isHere).every(({ trusts }) => trusts.has(step.keyId)))
        assert.ok(now.settledAtMs <= now.nowMs)
      }),
      { numRuns: 1000 },
    )
  })

  test('an exception that opens the gate really holds', () => {
    fc.assert(
      fc.property(anyIntent, anyFacts, (asked, now) => {
        const step = nextRotationStep(asked, now)
        if (step.kind !== 'activate') return
        if (step.because === 'quorum') assert.ok(asked.quorum < 1)
        if (step.because === 'deadline') assert.ok(asked.deadlineAt!.getTime() <= now.nowMs)
        if (step.because === 'end-of-life') assert.ok(now.nowMs >= NOW + 30 * DAY - HOUR)
      }),
      { numRuns: 1000 },
    )
  })

  test('nothing is revoked of which a connected sidecar holds an SVID, unless the deadline is over', () => {
    fc.assert(
      fc.property(anyIntent, anyFacts, (asked, now) => {
        const step = nextRotationStep(asked, now)
        if (step.kind !== 'revoke' && step.kind !== 'deny') return
        const retiring = now.authorities.filter(({ state, notAfter }) => state === 'old' && +notAfter > now.nowMs)
        const keys = retiring.map(({ keyId }) => keyId)
        assert.ok(!now.own.some((keyId) => keys.includes(keyId)), "never of Picket's own")
        const isOver = asked.deadlineAt !== undefined && now.nowMs >= NOW + (+asked.deadlineAt - +asked.startedAt)
        if (isOver) return
        const holders = now.sidecars.filter(isHere).filter(({ holds }) => holds?.some((keyId) => keys.includes(keyId)))
        assert.deepEqual(holders, [])
      }),
      { numRuns: 1000 },
    )
  })

  test('a wait without a deadline can only end by sidecars or by a time that is told', () => {
    fc.assert(
      fc.property(anyIntent, anyFacts, (asked, now) => {
        const step = nextRotationStep(asked, now)
        if (step.kind !== 'wait') return
        const { lookAgainAtMs, laggards } = step.gate
        if (lookAgainAtMs !== undefined) assert.ok(lookAgainAtMs > now.nowMs)
        else assert.ok(laggards.length > 0 || now.own.length > 0)
      }),
      { numRuns: 1000 },
    )
  })

  test('every rotation ends: each step that is no wait brings it nearer', () => {
    fc.assert(
      fc.property(anyIntent, anyAuthorities, (asked, start) => {
        let state = facts({ authorities: start, own: [] })
        let prepared = 0
        for (let steps = 0; steps < 20; steps++) {
          const step = nextRotationStep(asked, state)
          if (step.kind === 'done') return
          state = { ...state, ...apply(step, state, () => `n${prepared++}`) }
        }
        assert.fail('it goes on and on')
      }),
    )
  })
})

/** What the certificate authority would do. */
function apply(step: RotationStep, now: RotationFacts, name: () => string): Partial<RotationFacts> {
  const { authorities } = now
  switch (step.kind) {
    case 'prepare':
      return { authorities: [...authorities, authority(name(), 'prepared')] }
    case 'activate':
      return {
        authorities: authorities.map((one) =>
          one.keyId === step.keyId
            ? { ...one, state: 'active', activatedAt: new Date(NOW) }
            : one.state === 'active'
              ? { ...one, state: 'old' }
              : one,
        ),
      }
    case 'set-svid-algorithm':
      return { svidAlgorithm: step.algorithm }
    case 'taint':
      return { authorities: authorities.map((one) => (one.keyId === step.keyId ? { ...one, tainted: true } : one)) }
    case 'deny':
      return { denied: new Set(authorities.map(({ keyId }) => keyId)) }
    case 'revoke':
      return { authorities: authorities.filter(({ keyId }) => keyId !== step.keyId) }
    case 'wait':
    case 'done':
      return {}
  }
}
