import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { FakeClock, settle } from '@picket/runtime/testing'
import { createWakeUp } from './wake-up.ts'

function setUp() {
  const clock = new FakeClock()
  const abort = new AbortController()
  const wakeUp = createWakeUp(clock)
  let rested = 0
  const rest = (afterMs: number | undefined, gatherMs = 0): void => {
    const atMs = afterMs === undefined ? undefined : clock.now() + afterMs
    void wakeUp.wait(atMs, gatherMs, abort.signal).then(() => (rested += 1))
  }
  return { clock, abort, wakeUp, rest, rested: () => rested }
}

suite('a loop at rest', () => {
  test('goes on at its time', async () => {
    const { clock, rest, rested } = setUp()
    rest(100)
    await clock.advance(99)
    assert.equal(rested(), 0)
    await clock.advance(1)
    assert.equal(rested(), 1)
  })

  test('goes on when told, once for everything that is said while it gathers', async () => {
    const { clock, wakeUp, rest, rested } = setUp()
    rest(undefined, 20)
    wakeUp.now()
    await settle()
    wakeUp.now()
    assert.equal(rested(), 0)
    await clock.advance(20)
    assert.equal(rested(), 1)
    rest(undefined)
    await settle()
    assert.equal(rested(), 1, 'what was gathered is no reason any more')
  })

  test('does not rest when it was told before', async () => {
    const { wakeUp, rest, rested } = setUp()
    wakeUp.now()
    rest(undefined)
    await settle()
    assert.equal(rested(), 1)
  })

  test('ends with its signal', async () => {
    const { abort, rest, rested } = setUp()
    rest(undefined, 20)
    abort.abort()
    await settle()
    assert.equal(rested(), 1)
  })
})
