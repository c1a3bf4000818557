import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createFakeRandom, createRecordingLogger, FakeClock } from './testing.ts'

test('the fake clock shows what the code under test is waiting for', async () => {
  const clock = new FakeClock('2026-03-01T12:00:00Z')
  clock.after(500, () => {})
  void clock.sleep(20)
  assert.deepEqual(clock.pendingMs, [20, 500])
  await clock.advance(100)
  assert.deepEqual(clock.pendingMs, [400])
  assert.equal(new Date(clock.now()).toISOString(), '2026-03-01T12:00:00.100Z')
})

test('fake randomness repeats itself from one test run to the next', () => {
  const [one, two] = [createFakeRandom(), createFakeRandom()]
  assert.deepEqual(one.bytes(3), two.bytes(3))
  assert.equal(one.uuid(), two.uuid())
  assert.notEqual(one.uuid(), one.uuid())
  assert.equal(createFakeRandom(0.25).fraction(), 0.25)
})

test('the recording logger keeps level, message and fields in order', () => {
  const logger = createRecordingLogger()
  logger.info('started', { port: 7443 })
  logger.error('failed')
  assert.deepEqual(logger.entries, [
    { level: 'info', message: 'started', fields: { port: 7443 } },
    { level: 'error', message: 'failed', fields: {} },
  ])
})
