import assert from 'node:assert/strict'
import { test } from 'node:test'
import { listenForShutdown } from './shutdown.ts'
import { createTestContext } from './testing.ts'

test('the first signal asks to stop, the second one ends at once', () => {
  const context = createTestContext()
  const exits: number[] = []
  using shutdown = listenForShutdown(context, (code) => void exits.push(code))
  assert.deepEqual([shutdown.signal.aborted, shutdown.exitCode], [false, 0])
  context.send('SIGTERM')
  assert.deepEqual([shutdown.signal.aborted, shutdown.exitCode, exits], [true, 143, []])
  context.send('SIGINT')
  assert.deepEqual([shutdown.exitCode, exits], [143, [130]])
})

test('nobody listens after disposal', () => {
  const context = createTestContext()
  const shutdown = listenForShutdown(context)
  shutdown[Symbol.dispose]()
  context.send('SIGTERM')
  assert.deepEqual([context.listening, shutdown.signal.aborted], [0, false])
})
