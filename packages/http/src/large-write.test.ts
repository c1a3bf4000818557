import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import { free, writeAndForget } from './large-write.ts'
import { OutputBuffer } from './output-buffer.ts'

const alone = (size: number): Buffer => Buffer.from(new ArrayBuffer(size))

function createSink(): Writable & { readonly waiting: (() => void)[]; readonly received: number[] } {
  const waiting: (() => void)[] = []
  const received: number[] = []
  const sink = new Writable({
    write: (piece: Buffer, _, done) => (received.push(piece.length), void waiting.push(done)),
  })
  return Object.assign(sink, { waiting, received })
}

test('a large piece of its own is freed when it is sent, not before', async () => {
  const sink = createSink()
  const piece = alone(65_536)
  writeAndForget(sink, piece, 0, piece.length)
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(piece.length, 65_536)
  sink.waiting[0]!()
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(piece.length, 0)
})

test('small pieces, parts of pieces and shared memory are left alone', async () => {
  const sink = createSink()
  const [small, large] = [alone(100), alone(65_536)]
  writeAndForget(sink, small, 0, small.length)
  sink.waiting.shift()!()
  writeAndForget(sink, large, 1, large.length)
  sink.waiting.shift()!()
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual([small.length, large.length, sink.received], [100, 65_536, [100, 65_535]])
  const view = large.subarray(10)
  free(view)
  assert.equal(large.length, 65_536)
})

test('an output buffer takes new memory while the stream still holds the last message', async () => {
  const sink = createSink()
  const out = new OutputBuffer()
  out.begin()
  out.appendText('first')
  out.sendTo(sink)
  const first = out.bytes
  out.begin()
  out.appendText('other')
  assert.notEqual(out.bytes, first)
  assert.equal(first.toString('latin1', 0, 5), 'first')
  out.sendTo(sink)
  for (const round of [1, 2]) {
    sink.waiting.shift()!()
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(sink.received.length, 2, `round ${round}`)
  }
  const second = out.bytes
  out.begin()
  out.appendText('third')
  assert.equal(out.bytes, second)
})

test('an output buffer gives up large memory between exchanges', () => {
  const out = new OutputBuffer()
  out.begin()
  out.append(Buffer.alloc(100_000, 'x'))
  assert.equal(out.length, 100_000)
  out.trim()
  assert.equal(out.bytes.length, 0)
})
