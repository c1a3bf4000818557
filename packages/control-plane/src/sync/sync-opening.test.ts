import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSpiffeId } from '@picket/identity'
import type { Hello, SyncRequestMessage, SyncServerStream } from '@picket/rpc'
import { codeOf, silentLogger } from '@picket/runtime'
import { FakeClock } from '@picket/runtime/testing'
import { createSidecarList } from './sidecar-list.ts'
import { openStream } from './sync-opening.ts'

const HELLO: Hello = { kind: 'hello', instanceId: 'one', version: '', advertise: '', held: [] }

/** A stream that says nothing by itself, opened. */
function setUp() {
  const clock = new FakeClock()
  let ended: string | undefined
  let say: (message: SyncRequestMessage) => void = () => {}
  let leave = (): void => {}
  const stream: SyncServerStream = {
    send: () => true,
    onDrain() {},
    onMessage: (listener) => void (say = listener),
    onEnd: (listener) => void (leave = listener),
    end: (error) => void (ended ??= codeOf(error) ?? 'ok'),
  }
  const id = parseSpiffeId('spiffe://bank.test/payments')
  const identity = { id, serialNumber: '01', notAfter: new Date(clock.now() + 3_600_000) }
  const never = (): never => assert.fail('it was not opened')
  const owner = { sidecars: createSidecarList(clock), begin: never, receive: never, finish: never }
  const enrollment = { confirm: () => new Promise<never>(() => {}) }
  openStream(stream, { enrollment, clock, logger: silentLogger }, identity, owner)
  return { clock, say: () => say(HELLO), leave: () => leave(), ended: () => ended }
}

test('a stream on which nobody says who it is ends', async () => {
  const { clock, ended } = setUp()
  await clock.advance(9999)
  assert.equal(ended(), undefined)
  await clock.advance(1)
  assert.equal(ended(), 'ERR_RPC_DEADLINE')
})

for (const [what, act] of [
  ['that has begun', (stream: ReturnType<typeof setUp>) => stream.say()],
  ['that is over', (stream: ReturnType<typeof setUp>) => stream.leave()],
] as const) {
  test(`a stream ${what} is no longer waited for`, async () => {
    const stream = setUp()
    act(stream)
    await stream.clock.advance(60_000)
    assert.equal(stream.ended(), undefined)
  })
}
