import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTasks, createWatch, type HostPort } from '@picket/runtime'
import { createRecordingLogger, FakeClock, settle } from '@picket/runtime/testing'
import { openInboundGate, type TrafficListener } from './inbound-gate.ts'
import type { SvidLife } from './svid-life.ts'

async function setUp(stage: SvidLife = 'fresh') {
  const clock = new FakeClock()
  const life = createWatch<SvidLife>(stage)
  const events: string[] = []
  const failures: Error[] = []
  let left = 0
  const open = ({ port }: HostPort): Promise<TrafficListener> => {
    const failure = failures.shift()
    if (failure) return Promise.reject(failure)
    events.push(`open ${port}`)
    return Promise.resolve({
      address: { host: '127.0.0.1', port: port === 0 ? 7443 : port },
      drain: () => (events.push('drain'), Promise.resolve(left)),
      [Symbol.asyncDispose]: () => Promise.resolve(void events.push('close')),
    })
  }
  const logger = createRecordingLogger()
  const gate = await openInboundGate({ clock, logger, life, open }, { host: '127.0.0.1', port: 0 })
  const tasks = createTasks()
  tasks.start('gate', (signal) => gate.run(signal))
  return {
    clock,
    life,
    events,
    failures,
    gate,
    logger,
    leave: (count: number) => void (left = count),
    stop: () => tasks[Symbol.asyncDispose](),
    [Symbol.asyncDispose]: () => tasks[Symbol.asyncDispose](),
  }
}

test('closes at expiry and opens at the same address when there is a valid svid again', async () => {
  await using t = await setUp()
  for (const stage of ['half', 'late', 'critical', 'expired'] as const) t.life.set(stage)
  await settle()
  assert.deepEqual(t.events, ['open 0', 'close'])
  t.life.set('fresh')
  await settle()
  assert.deepEqual(t.events, ['open 0', 'close', 'open 7443'])
  assert.equal(t.gate.address.port, 7443)
})

test('with an svid that has expired before the start it has looked at its port and is closed', async () => {
  await using t = await setUp('expired')
  assert.deepEqual(t.events, ['open 0', 'close'])
})

test('a port that was taken meanwhile is asked for again', async () => {
  await using t = await setUp()
  t.life.set('expired')
  await settle()
  t.failures.push(new Error('taken'))
  t.life.set('fresh')
  await t.clock.advance(1000)
  assert.deepEqual(t.events, ['open 0', 'close', 'open 7443'])
})

test('a port that is in use at the start is the start’s failure', async () => {
  const open = (): Promise<never> => Promise.reject(new Error('taken'))
  const deps = { clock: new FakeClock(), logger: createRecordingLogger(), life: createWatch<SvidLife>('fresh'), open }
  await assert.rejects(openInboundGate(deps, { host: '127.0.0.1', port: 1 }), { message: 'taken' })
})

test('the end drains, then closes, and counts whom it cut off', async () => {
  await using t = await setUp()
  t.leave(2)
  await t.stop()
  await t.gate.close(new AbortController().signal)
  assert.deepEqual(t.events, ['open 0', 'drain', 'close'])
  assert.deepEqual(t.logger.entries.at(-1)?.fields, { left: 2 })
})
