import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createWatch } from '@picket/runtime'
import { FakeClock, settle } from '@picket/runtime/testing'
import { createSidecarFacts, RECONNECT_GRACE_MS, START_GRACE_MS, START_LEAST_MS } from './rotation-facts.ts'
import type { RotatingSidecar } from './rotation-facts.ts'
import type { AuthorityFact } from './rotation-step.ts'
import { authority } from './testing-rotation-step.ts'

function sidecar(
  name: string,
  acked: string,
  authorityKeyIds: readonly string[] = ['a'],
  instanceId = 'one',
): RotatingSidecar {
  const spiffeId = `spiffe://bank.test/${name}`
  const ackedRevision = (): string => acked
  return { spiffeId, instanceId, service: name, svidSerial: `serial of ${name}`, authorityKeyIds, ackedRevision }
}

function setUp(expected?: ReadonlySet<string>) {
  const clock = new FakeClock()
  const startedMs = clock.now()
  const trustBundle = createWatch({ revision: 'r1' })
  const authorities = createWatch<readonly AuthorityFact[]>([authority('a', 'active')])
  const changed = createWatch(0)
  let connected: readonly RotatingSidecar[] = []
  const sidecars = { changed, connected: () => connected }
  const facts = createSidecarFacts({ trustBundle, authorities, sidecars, expected }, clock)
  const connect = (...now: RotatingSidecar[]): void => {
    connected = now
    changed.set(changed.value + 1)
  }
  const settledAfterMs = (): number => facts.read().settledAtMs - startedMs
  return { clock, trustBundle, authorities, facts, connect, settledAfterMs }
}

suite('what a rotation knows of sidecars', () => {
  for (const order of ['bundle first', 'authorities first'] as const) {
    test(`is which authorities are in the bundle that each has acknowledged, ${order}`, async () => {
      const { trustBundle, authorities, facts, connect } = setUp()
      connect(sidecar('x', 'r1'), sidecar('y', 'r2'))
      const two = [authority('a', 'active'), authority('b', 'prepared')]
      if (order === 'bundle first') trustBundle.set({ revision: 'r2' })
      authorities.set(two)
      if (order === 'authorities first') trustBundle.set({ revision: 'r2' })
      await settle()
      const trusted = facts.read().sidecars.map(({ trusts }) => [...trusts])
      assert.deepEqual(trusted, [['a'], ['a', 'b']])
      assert.deepEqual([facts.holdsAuthority('r1', 'b'), facts.holdsAuthority('r2', 'b')], [false, true])
    })
  }

  test('is nothing where the revision is not known, or nothing was said', () => {
    const { facts, connect } = setUp()
    connect(sidecar('x', 'r0', []))
    assert.deepEqual(
      facts.read().sidecars.map(({ trusts, holds }) => [trusts.size, holds]),
      [[0, undefined]],
    )
  })

  test('includes for a while who has just lost its connection, with what it had', async () => {
    const { clock, facts, connect } = setUp()
    connect(sidecar('x', 'r1'))
    connect()
    const untilMs = clock.now() + RECONNECT_GRACE_MS
    assert.deepEqual(
      facts.read().sidecars.map(({ spiffeId, awaitedUntilMs }) => [spiffeId, awaitedUntilMs]),
      [['spiffe://bank.test/x', untilMs]],
    )
    connect(sidecar('x', 'r1'))
    assert.deepEqual(
      facts.read().sidecars.map(({ awaitedUntilMs }) => awaitedUntilMs),
      [undefined],
      'it is back',
    )
    connect()
    await clock.advance(RECONNECT_GRACE_MS)
    assert.deepEqual(facts.read().sidecars, [])
  })

  test('takes a sidecar that was restarted for the same, by its SVID', () => {
    const { facts, connect } = setUp()
    connect(sidecar('x', 'r1'))
    connect()
    connect(sidecar('x', 'r1', ['a'], 'two'))
    assert.deepEqual(
      facts.read().sidecars.map(({ instanceId, awaitedUntilMs }) => [instanceId, awaitedUntilMs]),
      [['two', undefined]],
    )
  })

  test('does not take a sidecar for another that says it has the same SVID', () => {
    const { facts, connect } = setUp()
    const liar = { ...sidecar('liar', 'r1'), svidSerial: 'serial of x' }
    connect(sidecar('x', 'r1'), liar)
    connect(liar)
    assert.deepEqual(
      facts.read().sidecars.map(({ spiffeId, awaitedUntilMs }) => [spiffeId, awaitedUntilMs !== undefined]),
      [
        ['spiffe://bank.test/liar', false],
        ['spiffe://bank.test/x', true],
      ],
    )
  })

  test('is complete at once where nobody can be, else when those who were here are back, or have had time', () => {
    assert.equal(setUp().settledAfterMs(), 0)
    assert.equal(setUp(new Set()).settledAfterMs(), START_GRACE_MS)
    const { connect, settledAfterMs } = setUp(new Set(['spiffe://bank.test/x one', 'spiffe://bank.test/y one']))
    connect(sidecar('x', 'r1'))
    assert.equal(settledAfterMs(), START_GRACE_MS)
    connect(sidecar('y', 'r1'))
    assert.equal(settledAfterMs(), START_LEAST_MS, 'one after the other will do')
  })
})
