import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createDrain } from './drain.ts'
import { settle } from './testing.ts'

test('waits for the last ticket and then reports that none is left', async () => {
  const drain = createDrain()
  const first = drain.enter()
  const second = drain.enter()
  let left: number | undefined
  const draining = drain.drain(new AbortController().signal).then((count) => (left = count))
  assert.equal(drain.draining, true)
  first[Symbol.dispose]()
  await settle()
  assert.equal(left, undefined)
  second[Symbol.dispose]()
  await draining
  assert.equal(left, 0)
})

test('gives up at the deadline and says how many tickets are still out', async () => {
  const drain = createDrain()
  drain.enter()
  drain.enter()
  const deadline = new AbortController()
  const draining = drain.drain(deadline.signal)
  deadline.abort()
  assert.equal(await draining, 2)
})

test('is over at once when nothing is in flight or the deadline has passed', async () => {
  const idle = createDrain()
  assert.equal(await idle.drain(new AbortController().signal), 0)
  const busy = createDrain()
  busy.enter()
  assert.equal(await busy.drain(AbortSignal.abort()), 1)
})

test('a ticket returned twice counts once', async () => {
  const drain = createDrain()
  const ticket = drain.enter()
  drain.enter()
  ticket[Symbol.dispose]()
  ticket[Symbol.dispose]()
  assert.equal(await drain.drain(AbortSignal.abort()), 1)
})
