import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { listen } from './testing.ts'
import { startForwarder } from './testing-forwarder.ts'
import { connectTls } from './testing-tls.ts'
import { answering, countOf, get, OK, startUpstream } from './testing-upstream.ts'

const MIB = 2 ** 20

async function until(isDone: () => boolean): Promise<void> {
  for (let n = 0; n < 3000 && !isDone(); n++) await new Promise((resolve) => setTimeout(resolve, 5))
  assert.ok(isDone())
}

test('serves callers over TLS, request after request', async () => {
  await using upstream = await startUpstream(answering(OK))
  await using server = await startForwarder({ isTls: true, upstreamPort: upstream.port })
  const client = connectTls(server.port)
  let text = ''
  client.on('data', (piece: Buffer) => (text += piece.toString('latin1')))
  for (let n = 1; n <= 5; n++) {
    client.write(get(`/${n}`))
    await until(() => countOf(text, 'ok') === n)
  }
  client.write(get('/6') + get('/7'))
  await until(() => countOf(text, 'ok') === 7)
  client.destroy()
  assert.equal(upstream.received.length, 1)
  assert.equal(upstream.all(), [1, 2, 3, 4, 5, 6, 7].map((n) => get(`/${n}`)).join(''))
})

test('refuses bad bytes over TLS with an answer and an orderly end', async () => {
  await using server = await startForwarder({ isTls: true })
  const client = connectTls(server.port)
  let text = ''
  let isEnded = false
  client.on('data', (piece: Buffer) => (text += piece.toString('latin1')))
  client.on('end', () => (isEnded = true))
  client.write(`GET / HTTP/1.1\nHost: a\r\n\r\n${'x'.repeat(100_000)}`)
  await until(() => isEnded)
  assert.match(text, /^HTTP\/1\.1 400 .*connection: close/s)
  assert.deepEqual(server.refusals, ['invalid_line_ending'])
})

test('a TLS caller that ends its side takes the upstream request with it', async () => {
  await using upstream = await startUpstream(() => {})
  await using server = await startForwarder({ isTls: true, upstreamPort: upstream.port })
  const client = connectTls(server.port)
  client.end(get('/'))
  client.resume()
  await until(() => server.outcomes.length === 1 && server.closed.count === 1)
  assert.equal(server.outcomes[0]!.flag, 'client_disconnected')
  assert.ok(upstream.sockets.size === 0 || upstream.all() === '')
})

test('a TLS caller that reads slowly gets every byte, and nothing piles up', async () => {
  const total = 32 * MIB
  const piece = Buffer.alloc(65_536, 'abcdefghijklmnop')
  await using upstream = await listen((socket: Socket) => {
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`)
      let left = total / piece.length
      const more = (): void => {
        while (left > 0 && socket.write(piece)) left--
        left--
      }
      socket.on('drain', more)
      more()
    })
  })
  await using server = await startForwarder({ isTls: true, upstreamPort: upstream.port })
  const client = connectTls(server.port)
  client.write(get('/'))
  let received = 0
  let held = 0
  let isHeadSeen = false
  for await (const part of client as AsyncIterable<Buffer>) {
    const body = isHeadSeen ? part : part.subarray(part.indexOf('\r\n\r\n') + 4)
    for (let i = 0; i < body.length; i += 4096) assert.equal(body[i], 97 + ((received + i) % 16))
    isHeadSeen = true
    received += body.length
    held = Math.max(held, server.connections[0]!.socket.writableLength)
    if (received === total) break
  }
  assert.equal(received, total)
  assert.ok(held < MIB, `${held} bytes were held`)
})
