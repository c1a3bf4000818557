import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTasks } from './tasks.ts'
import { settle } from './testing.ts'

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

test('disposal aborts every task and waits for all of them', async () => {
  const ended: string[] = []
  const tasks = createTasks()
  for (const name of ['sync', 'rotation']) {
    tasks.start(name, async (signal) => {
      await untilAborted(signal)
      await settle()
      ended.push(name)
    })
  }
  await tasks[Symbol.asyncDispose]()
  assert.deepEqual(ended.sort(), ['rotation', 'sync'])
})

test('the first failure aborts the others and comes out of failed with its cause', async () => {
  const cause = new Error('broken')
  await using tasks = createTasks()
  let aborted = false
  tasks.start('steady', (signal) => untilAborted(signal).then(() => void (aborted = true)))
  tasks.start('sync', () => Promise.reject(cause))
  await assert.rejects(tasks.failed, (thrown: Error) => {
    assert.equal(thrown.message, 'task "sync" failed')
    return thrown.cause === cause
  })
  await settle()
  assert.equal(aborted, true)
  assert.equal(tasks.signal.aborted, true)
})

test('a task that throws because it was aborted has not failed', async () => {
  const tasks = createTasks()
  tasks.start('sync', async (signal) => {
    await untilAborted(signal)
    throw signal.reason
  })
  let failed = false
  tasks.failed.catch(() => (failed = true))
  await tasks[Symbol.asyncDispose]()
  await settle()
  assert.equal(failed, false)
})

test('the parent signal reaches every task', async () => {
  const parent = new AbortController()
  await using tasks = createTasks(parent.signal)
  let reason: unknown
  tasks.start('sync', (signal) => untilAborted(signal).then(() => void (reason = signal.reason)))
  parent.abort('SIGTERM')
  await settle()
  assert.equal(reason, 'SIGTERM')
})
