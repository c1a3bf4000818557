import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseRequestHead, type ExchangeOutcome, type RequestHead } from '@picket/http'
import { createMetrics, systemClock } from '@picket/runtime'
import { createRecordingLogger, FakeClock } from '@picket/runtime/testing'
import { createAccessLog, type AccessLog } from './access-log.ts'
import { connectionFields, decisionFields, LONGEST_RECORD, type RequestRecord } from './access-record.ts'
import { fileSink, openLogSink, type LogSink } from './log-sink.ts'

const ID = '01234567-89ab-4cde-8f01-23456789abcd'

const OUTCOME: ExchangeOutcome = {
  status: 200,
  requestBytes: 120,
  responseBytes: 1300,
  durationMs: 1.5,
  upstreamMs: 1.2344,
  flag: '',
  detail: '',
  reused: true,
  retried: false,
}

function headOf(method: string, path: string): RequestHead {
  const head = parseRequestHead(Buffer.from(`${method} ${path} HTTP/1.1\r\nhost: a\r\n\r\n`, 'latin1'))
  assert(head && !('kind' in head))
  return head
}

function recordOf(change: Partial<RequestRecord> = {}): RequestRecord {
  return {
    connectionFields: connectionFields({
      direction: 'inbound',
      service: 'accounts',
      caller: 'spiffe://bank.test/gateway',
      peer: { host: '::1', port: 5000 },
    }),
    decisionFields: decisionFields('allow', 'allowed', '', 'r1'),
    head: headOf('GET', '/accounts/42?secret=1'),
    outcome: OUTCOME,
    startedMs: 0,
    requestIdBytes: Buffer.from(`x${ID}`),
    requestIdAt: 1,
    ...change,
  }
}

/** A sink whose writes end when the test says so. */
class SlowSink implements LogSink {
  readonly written: string[] = []
  #done: ((error: Error | undefined, written: number) => void) | undefined
  #length = 0

  write(bytes: Buffer, done: (error: Error | undefined, written: number) => void): void {
    assert.equal(this.#done, undefined, 'one write at a time')
    this.written.push(bytes.toString())
    this.#length = bytes.length
    this.#done = done
  }

  finish(error?: Error, written = this.#length): void {
    const done = this.#done
    this.#done = undefined
    done?.(error, written)
  }

  close(): void {}
}

async function createLog(clock = new FakeClock('2026-01-02T03:04:05.678Z')) {
  const sink = new SlowSink()
  const logger = createRecordingLogger()
  const metrics = createMetrics()
  const log = await createAccessLog({ kind: 'stdout' }, { clock, logger, metrics }, () => sink)
  return { clock, sink, logger, metrics, log }
}

const linesOf = (text = ''): Record<string, unknown>[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

test('a request is one line of JSON, without its query', async () => {
  const { clock, sink, log } = await createLog()
  log.request(recordOf({ startedMs: clock.monotonicMs() }))
  await clock.advance(200)
  assert.deepEqual(linesOf(sink.written[0]), [
    {
      time: '2026-01-02T03:04:05.678Z',
      kind: 'request',
      direction: 'inbound',
      service: 'accounts',
      caller: 'spiffe://bank.test/gateway',
      peer: '[::1]:5000',
      method: 'GET',
      path: '/accounts/42',
      status: 200,
      decision: 'allow',
      reason: 'allowed',
      revision: 'r1',
      decision_id: ID,
      duration_us: 1500,
      request_bytes: 120,
      response_bytes: 1300,
      upstream_us: 1234,
      flag: '',
    },
  ])
})

test('what went wrong is named, with more about it where there is more', async () => {
  const { clock, sink, log } = await createLog()
  log.request(recordOf({ outcome: { ...OUTCOME, flag: 'upstream_reset', detail: 'read "ECONNRESET"' } }))
  log.request(recordOf({ outcome: { ...OUTCOME, flag: 'drained' } }))
  await clock.advance(200)
  const lines = linesOf(sink.written[0])
  assert.deepEqual(
    lines.map(({ flag, cause }) => [flag, cause]),
    [
      ['upstream_reset', 'read "ECONNRESET"'],
      ['drained', undefined],
    ],
  )
})

test('a refusal is one line too', async () => {
  const { clock, sink, log } = await createLog()
  log.refusal({
    kind: 'handshake',
    direction: 'inbound',
    service: 'accounts',
    peer: { host: '10.0.0.1', port: 9 },
    reason: 'no-certificate',
    message: 'the peer showed "nothing"\n',
  })
  await clock.advance(200)
  assert.deepEqual(linesOf(sink.written[0]), [
    {
      time: '2026-01-02T03:04:05.678Z',
      kind: 'handshake',
      direction: 'inbound',
      service: 'accounts',
      reason: 'no-certificate',
      decision: 'refuse',
      peer: '10.0.0.1:9',
      message: 'the peer showed "nothing"\n',
    },
  ])
})

test('whatever the head holds, the line is JSON that says it', () => {
  const path = fc
    .array(fc.integer({ min: 0x21, max: 0xff }), { maxLength: 1500 })
    .map((bytes) => `/${Buffer.from(bytes).toString('latin1')}`)
  const numbers = fc.record({
    status: fc.integer({ min: 0, max: 599 }),
    requestBytes: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    durationMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
  })
  const sink = new SlowSink()
  const clock = new FakeClock()
  const deps = { clock, logger: createRecordingLogger(), metrics: createMetrics() }
  return fc.assert(
    fc.asyncProperty(path, numbers, async (text, changes) => {
      const bytes = Buffer.from(text, 'latin1')
      const plain = headOf('GET', '/')
      const head = { ...plain, bytes, methodStart: 0, methodEnd: 1, pathStart: 0, pathEnd: bytes.length } as RequestHead
      const log = await createAccessLog({ kind: 'stdout' }, deps, () => sink)
      log.request(recordOf({ head, outcome: { ...OUTCOME, ...changes } }))
      await clock.advance(200)
      const [line] = linesOf(sink.written.pop())
      sink.finish()
      const shown = text.length > 1024 ? `${text.slice(0, 1024)}…` : text
      assert.equal(line?.['path'], shown)
      assert.equal(line['method'], '/')
      assert.equal(line['status'], changes.status)
      assert.equal(line['request_bytes'], changes.requestBytes)
      assert.equal(line['duration_us'], Math.round(changes.durationMs * 1000))
    }),
    { numRuns: 200 },
  )
})

test('no request makes a record longer than there is room for', async () => {
  const { clock, sink, log } = await createLog()
  const id = `spiffe://bank.test/${'a'.repeat(2_000)}`
  const connection = connectionFields({ direction: 'outbound', service: 's', caller: id, callee: id, peer: undefined })
  const text = '\u0001'.repeat(20_000)
  const decision = decisionFields('deny', 'policy_denied', text, text)
  const bytes = Buffer.alloc(50_000, 1)
  const plain = headOf('GET', '/')
  const head = { ...plain, bytes, methodStart: 0, methodEnd: 20_000, pathStart: 0, pathEnd: 50_000 } as RequestHead
  const outcome = { ...OUTCOME, flag: 'upstream_reset', detail: text } as const
  for (let n = 0; n < 40; n++) {
    log.request(recordOf({ connectionFields: connection, decisionFields: decision, head, outcome }))
    await clock.advance(200)
    sink.finish()
  }
  const lengths = sink.written.map((line) => linesOf(line).length)
  assert.equal(lengths.length, 40)
  assert(Math.max(...sink.written.map((line) => Buffer.byteLength(line))) < LONGEST_RECORD)
})

test('time goes on by the monotonic clock between flushes', async () => {
  const { clock, sink, log } = await createLog()
  for (const aheadMs of [0, 5, 1_000, 62_000]) log.request(recordOf({ startedMs: clock.monotonicMs() + aheadMs }))
  await clock.advance(200)
  assert.deepEqual(
    linesOf(sink.written[0]).map(({ time }) => time),
    ['2026-01-02T03:04:05.678Z', '2026-01-02T03:04:05.683Z', '2026-01-02T03:04:06.678Z', '2026-01-02T03:05:07.678Z'],
  )
})

test('a sink that does not take records loses them, counts them and says so in a gap', async () => {
  const { clock, sink, metrics, log } = await createLog()
  const total = 5_000
  for (let n = 0; n < total; n++) log.request(recordOf())
  assert.equal(sink.written.length, 1)
  assert.match(metrics.render(), /picket_access_log_dropped_total [1-9]\d+/)
  sink.finish()
  log.request(recordOf())
  await clock.advance(400)
  sink.finish()
  log.request(recordOf())
  await clock.advance(400)
  const lines = sink.written.flatMap((text) => linesOf(text))
  const gaps = lines.filter(({ kind }) => kind === 'gap')
  const dropped = gaps.reduce((sum, gap) => sum + Number(gap['dropped']), 0)
  assert.equal(gaps.length, 1)
  assert.equal(dropped + lines.length - gaps.length, total + 2)
})

test('a full disk costs records and two lines of log, not traffic; a torn line is ended', async () => {
  const { clock, sink, logger, log } = await createLog()
  const fail = async (written: number): Promise<void> => {
    log.request(recordOf())
    await clock.advance(200)
    sink.finish(new Error('ENOSPC'), written)
  }
  await fail(10)
  await fail(0)
  log.request(recordOf())
  await clock.advance(200)
  sink.finish()
  assert.deepEqual(
    logger.entries.map(({ level }) => level),
    ['error', 'info'],
  )
  const [, , last = ''] = sink.written
  assert(last.startsWith('\n{'))
  assert.deepEqual(
    linesOf(last).map(({ kind, dropped }) => [kind, dropped]),
    [
      ['gap', 2],
      ['request', undefined],
    ],
  )
})

test('closing flushes everything into the file', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'picket-log-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'access.log')
  const deps = { clock: systemClock, logger: createRecordingLogger(), metrics: createMetrics() }
  for (const count of [1, 2_000]) {
    const log: AccessLog = await createAccessLog({ kind: 'file', path }, deps)
    for (let n = 0; n < count; n++) log.request(recordOf())
    await log[Symbol.asyncDispose]()
  }
  assert.equal(linesOf(readFileSync(path, 'utf8')).filter(({ kind }) => kind === 'request').length > 1_000, true)
  assert.equal(linesOf(readFileSync(path, 'utf8'))[0]?.['kind'], 'request')
})

test('a file that cannot be opened is said at the start; a broken one later does not throw', async () => {
  assert.throws(() => openLogSink({ kind: 'file', path: '/nowhere/at/all.log' }), { code: 'ERR_INPUT_FILE' })
  const fd = openSync('/dev/null', 'r')
  const problem = await new Promise((resolve) => fileSink(fd, false).write(Buffer.from('x'), resolve))
  closeSync(fd)
  assert.equal((problem as NodeJS.ErrnoException).code, 'EBADF')
})

test('nothing is kept where no log is wanted', async () => {
  const deps = { clock: new FakeClock(), logger: createRecordingLogger(), metrics: createMetrics() }
  const log = await createAccessLog({ kind: 'none' }, deps, () => assert.fail('no sink is opened'))
  log.request(recordOf())
  await log[Symbol.asyncDispose]()
})
