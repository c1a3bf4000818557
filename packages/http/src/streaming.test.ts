import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import net, { type Socket } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { listen, RawClient } from './testing.ts'
import { startForwarder } from './testing-forwarder.ts'
import { connectTls, listenTls } from './testing-tls.ts'

const MIB = 2 ** 20
const TOTAL = 64 * MIB
const PIECE = Buffer.alloc(65_536, 'abcdefghijklmnop')

/** Writes `count` times `piece` as fast as the stream takes it; resolves when all is handed over. */
async function pour(socket: Socket, piece: Buffer, count: number): Promise<void> {
  for (let i = 0; i < count; i++)
    if (!socket.write(piece)) await new Promise<void>((resolve) => void socket.once('drain', () => resolve()))
}

function sampled(read: () => number): { readonly max: number } & Disposable {
  let max = 0
  const timer = setInterval(() => (max = Math.max(max, read())), 5)
  return {
    get max() {
      return max
    },
    [Symbol.dispose]: () => clearInterval(timer),
  }
}

test('an upload of 64 MiB to a slow upstream is held back, not stored', async () => {
  let received = 0
  const sockets: Socket[] = []
  await using upstream = await listen((socket) => {
    let isHeadSeen = false
    socket.on('data', (piece) => {
      received += isHeadSeen ? piece.length : piece.length - (piece.indexOf('\r\n\r\n') + 4)
      isHeadSeen = true
      socket.pause()
      setImmediate(() => socket.resume())
      if (received === TOTAL) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    })
  })
  await using server = await startForwarder({
    pool: {
      connect: (read) => {
        const socket = net.connect({ port: upstream.port, host: '127.0.0.1', ...read })
        sockets.push(socket)
        return socket
      },
    },
  })
  using client = new RawClient(server.port)
  using held = sampled(() => (sockets[0]?.writableLength ?? 0) + (server.connections[0]?.socket.readableLength ?? 0))
  const head = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${TOTAL}\r\n\r\n`
  client.send(head)
  await pour(client.socket, PIECE, TOTAL / PIECE.length)
  await client.until((text) => text.endsWith('ok'), 30_000)
  assert.equal(received, TOTAL)
  assert.ok(held.max < MIB, `${held.max} bytes were held`)
  assert.equal(server.outcomes[0]!.requestBytes, TOTAL + head.length)
})

test('a download of 64 MiB to a slow caller is held back, not stored', async () => {
  await using upstream = await listen((socket) => {
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${TOTAL}\r\n\r\n`)
      void pour(socket, PIECE, TOTAL / PIECE.length)
    })
  })
  await using server = await startForwarder({ upstreamPort: upstream.port })
  const client = net.connect(server.port, '127.0.0.1')
  using held = sampled(() => server.connections[0]?.socket.writableLength ?? 0)
  let received = 0
  const hash = createHash('sha256')
  client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  let isHeadSeen = false
  for await (const piece of client as AsyncIterable<Buffer>) {
    const body = isHeadSeen ? piece : piece.subarray(piece.indexOf('\r\n\r\n') + 4)
    isHeadSeen = true
    received += body.length
    hash.update(body)
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.equal(received, TOTAL)
  assert.equal(hash.digest('hex'), createHash('sha256').update(Buffer.alloc(TOTAL, PIECE)).digest('hex'))
  assert.ok(held.max < MIB, `${held.max} bytes were held`)
})

test('a caller that stops reading stops the upstream', async () => {
  let sent = 0
  await using upstream = await listen((socket) => {
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n`)
      const chunk = Buffer.concat([Buffer.from('10000\r\n'), PIECE, Buffer.from('\r\n')])
      const more = (): void => {
        while (!socket.destroyed && socket.write(chunk)) sent += chunk.length
      }
      socket.on('drain', more)
      more()
    })
  })
  await using server = await startForwarder({ upstreamPort: upstream.port })
  const client = net.connect(server.port, '127.0.0.1')
  client.pause()
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  let before = -1
  while (sent === 0 || sent !== before) {
    before = sent
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  assert.ok(server.connections[0]!.socket.writableLength < MIB)
  client.destroy()
  while (upstream.sockets.size > 0) await new Promise((resolve) => setTimeout(resolve, 20))
  assert.equal(server.outcomes[0]!.flag, 'client_disconnected')
})

for (const usesSharedReads of [true, false])
  test(`streams to and from a TLS upstream ${usesSharedReads ? 'with' : 'without'} shared reads`, async () => {
    const size = 300_000
    await using upstream = await listenTls((socket) => {
      let received = ''
      socket.on('data', (piece) => {
        received += piece.toString('latin1')
        const body = received.slice(received.indexOf('\r\n\r\n') + 4)
        if (body.length < size) return
        received = ''
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n${body}`)
      })
    })
    await using server = await startForwarder({
      pool: {
        readyEvent: 'secureConnect',
        connect: (read) => connectTls(upstream.port, usesSharedReads ? read : {}),
      },
    })
    using client = new RawClient(server.port)
    const body = Array.from({ length: size / 10 }, (_, i) => String(i).padStart(10, '.')).join('')
    for (let n = 1; n <= 3; n++) {
      client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n${body}`)
      const text = await client.until((text) => text.split(body).length === n + 1)
      assert.ok(text.endsWith(body))
    }
    assert.equal(server.pool.counts.opened, 1)
  })

test('a TLS upstream connection that a slow caller held back serves the next caller', async () => {
  const size = 8 * MIB
  await using upstream = await listenTls((socket) => {
    socket.on('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`)
      void pour(socket, PIECE, size / PIECE.length)
    })
  })
  await using server = await startForwarder({
    pool: { readyEvent: 'secureConnect', connect: (read) => connectTls(upstream.port, read), maxConnections: 1 },
  })
  for (let n = 0; n < 3; n++) {
    const client = net.connect(server.port, '127.0.0.1')
    client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    let received = 0
    for await (const piece of client as AsyncIterable<Buffer>) {
      received += piece.length
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.ok(received > size)
  }
  assert.equal(server.pool.counts.opened, 1)
})

test('any message survives any cutting into pieces, both ways, request after request', async () => {
  let answer: Buffer[] = []
  let received = Buffer.alloc(0)
  let expected = 0
  await using upstream = await listen((socket) => {
    socket.on('data', (piece) => {
      received = Buffer.concat([received, piece])
      if (received.length < expected) return
      const pieces = [...answer]
      const next = (): void => void (pieces.length > 0 && socket.write(pieces.shift()!, () => setImmediate(next)))
      next()
    })
  })
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  let seen = ''
  const body = fc.oneof(
    fc.string({ maxLength: 50 }).map((text) => `Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`),
    fc
      .array(fc.string({ minLength: 1, maxLength: 20 }), { maxLength: 4 })
      .map((texts) => texts.map((text) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`).join(''))
      .map((chunks) => `Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\nX-T: 1\r\n\r\n`),
  )
  const cuts = fc.array(fc.nat(150), { maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(body, cuts, body, cuts, async (requestBody, requestCuts, responseBody, responseCuts) => {
      const request = `POST /x HTTP/1.1\r\nHost: a\r\n${requestBody}`
      const response = `HTTP/1.1 200 OK\r\n${responseBody}`
      received = Buffer.alloc(0)
      expected = Buffer.byteLength(request)
      answer = cut(Buffer.from(response), responseCuts)
      for (const piece of cut(Buffer.from(request), requestCuts)) {
        client.send(piece)
        await new Promise((resolve) => setImmediate(resolve))
      }
      seen += Buffer.from(response).toString('latin1')
      await client.until((text) => text.length >= seen.length)
      assert.equal(received.toString(), request)
      assert.equal(client.text, seen)
    }),
    { numRuns: 80 },
  )
})

function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const edges = [...new Set([0, ...cuts.filter((at) => at < bytes.length), bytes.length])].sort((a, b) => a - b)
  return edges.slice(1).map((to, i) => bytes.subarray(edges[i], to))
}
