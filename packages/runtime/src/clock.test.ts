import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { sleepUnlessAborted, systemClock } from './clock.ts'
import { FakeClock, settle } from './testing.ts'

test('a sleep ends after its delay and not before', async () => {
  const clock = new FakeClock()
  let awake = false
  const sleeping = clock.sleep(1000).then(() => (awake = true))
  await clock.advance(999)
  assert.equal(awake, false)
  await clock.advance(1)
  await sleeping
  assert.equal(awake, true)
})

test('an aborted sleep rejects with the reason and leaves no timer', async () => {
  for (const clock of [new FakeClock(), systemClock]) {
    const controller = new AbortController()
    const sleeping = clock.sleep(60_000, controller.signal)
    controller.abort(new Error('stop'))
    await assert.rejects(sleeping, /^Error: stop$/)
    await assert.rejects(clock.sleep(60_000, controller.signal), /^Error: stop$/)
    if (clock instanceof FakeClock) assert.deepEqual(clock.pendingMs, [])
  }
})

test('a disposed timer does not fire', async () => {
  const clock = new FakeClock()
  let fired = 0
  clock.after(10, () => (fired += 1))
  clock.after(20, () => (fired += 10))[Symbol.dispose]()
  await clock.advance(100)
  assert.equal(fired, 1)
})

test('timers fire in the order of their instants, with the clock at each', async () => {
  const clock = new FakeClock('2026-01-01T00:00:00Z')
  const start = clock.now()
  const seen: number[] = []
  clock.after(30, () => seen.push(clock.now() - start))
  clock.after(10, () => {
    seen.push(clock.now() - start)
    clock.after(5, () => seen.push(clock.now() - start))
  })
  await clock.advance(100)
  assert.deepEqual(seen, [10, 15, 30])
  assert.equal(clock.now() - start, 100)
})

test('sleepUnlessAborted tells an abort from the end of the wait', async () => {
  const clock = new FakeClock()
  const controller = new AbortController()
  const first = sleepUnlessAborted(clock, 10, controller.signal)
  await clock.advance(10)
  assert.equal(await first, true)
  const second = sleepUnlessAborted(clock, 10, controller.signal)
  controller.abort(new Error('stop'))
  assert.equal(await second, false)
})

test('the system clock waits out delays longer than the platform timer can hold', async () => {
  const FORTY_DAYS_MS = 40 * 86_400_000
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    let fired = false
    let awake = false
    systemClock.after(FORTY_DAYS_MS, () => (fired = true))
    void systemClock.sleep(FORTY_DAYS_MS).then(() => (awake = true))
    mock.timers.tick(2 ** 31 - 1) // the mock counts a timer armed inside a tick from the end of that tick
    mock.timers.tick(39 * 86_400_000 - (2 ** 31 - 1))
    await settle()
    assert.deepEqual([fired, awake], [false, false])
    mock.timers.tick(86_400_000)
    await settle()
    assert.deepEqual([fired, awake], [true, true])
  } finally {
    mock.timers.reset()
  }
})

test('the system clock fires, sleeps and moves forward', async () => {
  const before = systemClock.monotonicMs()
  await systemClock.sleep(5)
  assert.ok(systemClock.monotonicMs() - before >= 4)
  assert.ok(systemClock.now() > Date.UTC(2025, 0))
  const { promise, resolve } = Promise.withResolvers<void>()
  systemClock.after(1, resolve)
  await Promise.race([promise, systemClock.sleep(1000).then(() => assert.fail('the timer did not fire'))])
})
