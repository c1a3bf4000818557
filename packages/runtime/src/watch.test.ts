import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createWatch, watchUntil } from './watch.ts'
import { settle } from './testing.ts'

test('listeners hear changes, not the present value, until they leave', () => {
  const watch = createWatch(1)
  const heard: number[] = []
  const subscription = watch.subscribe((value) => heard.push(value))
  watch.set(2)
  watch.set(2)
  subscription[Symbol.dispose]()
  watch.set(3)
  assert.deepEqual(heard, [2])
  assert.equal(watch.value, 3)
})

test('the same function subscribed twice is two subscriptions', () => {
  const watch = createWatch(0)
  let heard = 0
  const listener = (): void => void (heard += 1)
  watch.subscribe(listener)
  watch.subscribe(listener)[Symbol.dispose]()
  watch.set(1)
  assert.equal(heard, 1)
})

test('no listener is left with an older value when another one sets a newer', () => {
  const watch = createWatch(0)
  let last = 0
  watch.subscribe((value) => value === 1 && watch.set(2))
  watch.subscribe((value) => (last = value))
  watch.set(1)
  assert.deepEqual([watch.value, last], [2, 2])
})

const isString = (value: string | undefined): value is string => value !== undefined

test('watchUntil takes the present value or waits for the first good one', async () => {
  const signal = new AbortController().signal
  assert.equal(await watchUntil(createWatch<string | undefined>('now'), isString, signal), 'now')
  const watch = createWatch<string | number | undefined>(undefined)
  const waiting = watchUntil(watch, (value): value is string => typeof value === 'string', signal)
  watch.set(7)
  watch.set('later')
  watch.set('too late')
  assert.equal(await waiting, 'later')
})

test('watchUntil ends with the reason of its signal, before or while waiting', async () => {
  const watch = createWatch<string | undefined>(undefined)
  await assert.rejects(watchUntil(watch, isString, AbortSignal.abort(new Error('early'))), /early/)
  const controller = new AbortController()
  const waiting = watchUntil(watch, isString, controller.signal)
  controller.abort(new Error('stop'))
  await assert.rejects(waiting, /stop/)
  watch.set('nobody listens')
  await settle()
})
