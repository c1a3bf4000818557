import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTasks } from '@picket/runtime'
import { createRecordingLogger, FakeClock, settle } from '@picket/runtime/testing'
import { beginLifecycle } from './lifecycle.ts'
import { createReadiness } from './readiness.ts'

function setUp(dispose: () => Promise<void> = () => Promise.resolve()) {
  const clock = new FakeClock()
  const logger = createRecordingLogger()
  const stack = new AsyncDisposableStack()
  let disposals = 0
  stack.defer(() => {
    disposals += 1
    return dispose()
  })
  const readiness = createReadiness()
  const tasks = createTasks()
  const deadline = new AbortController()
  const signal = new AbortController()
  const running = { stack, readiness, failures: [tasks.failed], deadline, drainTimeoutMs: 5000 }
  const lifecycle = beginLifecycle({ clock, logger }, running, signal.signal)
  return {
    clock,
    logger,
    readiness,
    tasks,
    deadline,
    signal,
    lifecycle,
    get disposals() {
      return disposals
    },
  }
}

test('the signal and the caller end the same stop, once', async () => {
  const t = setUp()
  t.signal.abort()
  await Promise.all([t.lifecycle.stop(), t.lifecycle.stop()])
  await t.lifecycle.closed
  assert.equal(t.disposals, 1)
  assert.deepEqual(t.readiness.value, ['draining', 'no_svid'])
  await assert.rejects(t.lifecycle.ready)
})

test('not ready comes first, the deadline after the timeout', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  let ready: readonly string[] = []
  const t = setUp(() => {
    ready = t.readiness.value
    return promise
  })
  const stopped = t.lifecycle.stop()
  await t.clock.advance(4999)
  assert.ok(ready.includes('draining'))
  assert.equal(t.deadline.signal.aborted, false)
  await t.clock.advance(1)
  assert.equal(t.deadline.signal.aborted, true)
  resolve()
  await stopped
  assert.deepEqual(t.clock.pendingMs, [])
})

test('a part that fails stops the rest, and its failure comes out', async () => {
  const t = setUp()
  t.tasks.start('sync', () => Promise.reject(new Error('bug')))
  await settle()
  await assert.rejects(t.lifecycle.closed, { message: 'task "sync" failed' })
  assert.equal(t.disposals, 1)
  assert.ok(t.logger.entries.some(({ level }) => level === 'error'))
  await t.lifecycle.stop()
})

test('a stop that fails says so', async () => {
  const t = setUp(() => Promise.reject(new Error('stuck')))
  await assert.rejects(t.lifecycle.stop(), { message: 'stuck' })
  await assert.rejects(t.lifecycle.closed, { message: 'stuck' })
})
