import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RpcError, type Resource, type SyncClientStream, type SyncRequestMessage } from '@picket/rpc'
import { createMetrics, createWatch } from '@picket/runtime'
import { createFakeRandom, createRecordingLogger, FakeClock, settle } from '@picket/runtime/testing'
import { runSync, type SyncDeps } from './sync.ts'

/** A sync loop whose streams are in the test's hand. */
function setUp(accept: SyncDeps['accept'] = () => Promise.resolve()) {
  const clock = new FakeClock()
  const logger = createRecordingLogger()
  const metrics = createMetrics()
  const svid = createWatch<unknown>(1)
  const readiness = createWatch<unknown>(1)
  const held: { revision: string } = { revision: '' }
  const streams: ReturnType<typeof createStream>[] = []
  let rotations = 0
  let denials = 0
  const deps: SyncDeps = {
    clock,
    logger,
    metrics,
    accept,
    random: createFakeRandom(0.5),
    client: {
      sync(signal) {
        const stream = createStream(signal)
        streams.push(stream)
        return stream
      },
    },
    credentials: [svid],
    hello: () => ({
      kind: 'hello',
      instanceId: 'i',
      version: '1',
      advertise: '',
      held: held.revision === '' ? [] : [{ kind: 'endpoints', revision: held.revision }],
    }),
    report: () => ({
      kind: 'report',
      svidSerial: '',
      svidNotAfterMs: 0,
      keyExchangeGroup: '',
      ready: true,
      notReadyReasons: [],
      requestsAllowed: 0,
      requestsDenied: 0,
      svidRotations: rotations,
      authorityKeyIds: [],
      svidKeyAlgorithm: 'ec-p256',
    }),
    reportOn: [readiness],
    rotateNow: () => (rotations += 1),
    denied: () => Promise.resolve(void (denials += 1)),
  }
  const stop = new AbortController()
  const running = runSync(deps, stop.signal)
  return {
    clock,
    logger,
    metrics,
    svid,
    readiness,
    held,
    streams,
    get rotations() {
      return rotations
    },
    get denials() {
      return denials
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await running
    },
  }
}

function createStream(signal: AbortSignal) {
  const sent: SyncRequestMessage[] = []
  const { promise: closed, resolve } = Promise.withResolvers<RpcError | undefined>()
  let onResource: (resource: Resource) => void = () => {}
  let onRotate = (): void => {}
  let onOpen = (): void => {}
  signal.addEventListener('abort', () => resolve(undefined))
  return {
    closed,
    sent,
    close: resolve,
    open: () => onOpen(),
    push: (revision: string, kind: Resource['kind'] = 'endpoints') =>
      onResource({ kind, revision, bytes: Buffer.alloc(0) }),
    rotate: () => onRotate(),
    of: (kind: SyncRequestMessage['kind']) => sent.filter((message) => message.kind === kind),
    send: (message) => void sent.push(message),
    onOpen: (listener) => void (onOpen = listener),
    onResource: (listener) => void (onResource = listener),
    onRotate: (listener) => void (onRotate = listener),
  } satisfies SyncClientStream & Record<string, unknown>
}

test('says hello first, then reports: at once, on change and every 30 seconds', async () => {
  await using t = setUp()
  await t.clock.advance(0)
  assert.deepEqual(
    t.streams[0]?.sent.map(({ kind }) => kind),
    ['hello', 'report'],
  )
  t.readiness.set(2)
  t.readiness.set(3)
  await t.clock.advance(0)
  assert.equal(t.streams[0]?.of('report').length, 2)
  await t.clock.advance(90_000)
  assert.equal(t.streams[0]?.of('report').length, 5)
})

test('acknowledges what was accepted and refuses, with the code, what was not', async () => {
  await using t = setUp(({ revision }) => {
    return revision === 'bad' ? Promise.reject(new RpcError('ERR_RPC_INVALID', 'no list')) : Promise.resolve()
  })
  t.streams[0]?.push('good')
  await settle()
  t.streams[0]?.push('bad')
  await settle()
  assert.deepEqual(t.streams[0]?.sent.slice(1), [
    { kind: 'ack', resource: 'endpoints', revision: 'good' },
    { kind: 'nack', resource: 'endpoints', revision: 'bad', code: 'ERR_RPC_INVALID', message: 'no list' },
  ])
  assert.match(t.metrics.render(), /picket_sync_refused_total\{kind="endpoints"\} 1/)
})

test('takes resources over one at a time and skips those that were overtaken', async () => {
  const taken: string[] = []
  const doors: (() => void)[] = []
  await using t = setUp((resource) => {
    taken.push(resource.revision)
    return new Promise((resolve) => doors.push(resolve))
  })
  for (const revision of ['1', '2', '3']) t.streams[0]?.push(revision)
  t.streams[0]?.push('p1', 'policy-bundle')
  await settle()
  assert.deepEqual(taken, ['1'])
  for (let door = doors.shift(); door; door = doors.shift()) {
    door()
    await settle()
  }
  assert.deepEqual(taken, ['1', '3', 'p1'])
  assert.equal(t.streams[0]?.of('ack').length, 3)
})

test('comes back with growing delays while the control plane is away', async () => {
  await using t = setUp()
  const openedAt: number[] = [0]
  const start = t.clock.now()
  for (let attempt = 0; attempt < 9; attempt++) {
    t.streams.at(-1)?.close(new RpcError('ERR_RPC_UNAVAILABLE', 'away'))
    await settle()
    await t.clock.advance(Math.min(...t.clock.pendingMs))
    openedAt.push(t.clock.now() - start)
  }
  assert.deepEqual(
    openedAt.slice(1).map((atMs, index) => atMs - (openedAt[index] ?? 0)),
    [375, 750, 1500, 3000, 6000, 7500, 7500, 7500, 7500],
  )
})

test('a stream that held for a while starts the backoff anew, and hello names what is held', async () => {
  await using t = setUp()
  for (let attempt = 0; attempt < 5; attempt++) {
    t.streams.at(-1)?.close(new RpcError('ERR_RPC_UNAVAILABLE', 'away'))
    await settle()
    await t.clock.advance(Math.min(...t.clock.pendingMs))
  }
  t.held.revision = 'e5'
  await t.clock.advance(10_000)
  const before = t.streams.length
  t.streams.at(-1)?.close(undefined)
  await t.clock.advance(375)
  assert.equal(t.streams.length, before + 1)
  const hello = t.streams.at(-1)?.sent[0]
  assert.deepEqual(hello?.kind === 'hello' && hello.held, [{ kind: 'endpoints', revision: 'e5' }])
})

test('a new svid opens the next stream at once, also out of a backoff', async () => {
  await using t = setUp()
  t.svid.set(2)
  await settle()
  assert.equal(t.streams.length, 2)
  assert.deepEqual(t.logger.entries, [])
  t.streams[1]?.close(new RpcError('ERR_RPC_UNAVAILABLE', 'away'))
  await settle()
  assert.equal(t.streams.length, 2)
  t.svid.set(3)
  await settle()
  assert.equal(t.streams.length, 3)
})

test('says when the control plane does not take the svid, and only then', async () => {
  await using t = setUp()
  t.streams[0]?.close(new RpcError('ERR_RPC_UNAVAILABLE', 'away'))
  await t.clock.advance(1000)
  assert.equal(t.denials, 0)
  t.streams[1]?.close(new RpcError('ERR_RPC_DENIED', 'not issued here'))
  await settle()
  assert.equal(t.denials, 1)
})

test('passes the command to rotate on', async () => {
  await using t = setUp()
  t.streams[0]?.rotate()
  assert.equal(t.rotations, 1)
})

test('the gauge shows whether the stream is open', async () => {
  await using t = setUp()
  assert.match(t.metrics.render(), /picket_sync_connected 0/)
  t.streams[0]?.open()
  assert.match(t.metrics.render(), /picket_sync_connected 1/)
  t.streams[0]?.close(undefined)
  await settle()
  assert.match(t.metrics.render(), /picket_sync_connected 0/)
})

test('the deny-list waits for nothing: not for a policy that takes its time', async () => {
  const taken: string[] = []
  await using t = setUp(({ kind }) => {
    taken.push(kind)
    return kind === 'policy-bundle' ? new Promise(() => {}) : Promise.resolve()
  })
  t.streams[0]?.push('p1', 'policy-bundle')
  t.streams[0]?.push('e1')
  t.streams[0]?.push('r1', 'revocations')
  assert.deepEqual(taken, ['policy-bundle', 'revocations'], 'in the turn in which it came')
})

test('the stream before ends when the next one stands, and not sooner', async () => {
  await using t = setUp()
  t.streams[0]?.open()
  t.svid.set(2)
  await settle()
  let ended = false
  void t.streams[0]?.closed.then(() => (ended = true))
  await settle()
  assert.equal(ended, false)
  t.svid.set(3)
  t.streams[1]?.open()
  await settle()
  assert.equal(ended, true)
  assert.equal(t.streams.length, 3, 'a change meanwhile is not lost')
})
