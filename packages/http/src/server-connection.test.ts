import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FakeClock } from '@picket/runtime/testing'
import type { Exchange } from './exchange.ts'
import { RawClient } from './testing.ts'
import { startForwarder } from './testing-forwarder.ts'

const get = (path: string, ...fields: string[]): string =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields.map((one) => `${one}\r\n`).join('')}\r\n`
const echoPath = (exchange: Exchange): void => exchange.respond(200, [['x-path', exchange.head.path]], 'ok')
const countOf = (text: string, sought: string): number => text.split(sought).length - 1

test('answers one request after the other on a kept connection', async () => {
  await using server = await startForwarder({ onRequest: echoPath })
  using client = new RawClient(server.port)
  await client.send(get('/1')).until((text) => text.endsWith('ok'))
  const text = await client.send(get('/2')).until((text) => countOf(text, 'ok') === 2)
  assert.match(
    text,
    /^HTTP\/1\.1 200 OK\r\nx-path: \/1\r\ncontent-length: 2\r\n\r\nokHTTP\/1\.1 200 OK\r\nx-path: \/2\r\n/,
  )
  assert.deepEqual(
    server.outcomes.map(({ status, flag }) => [status, flag]),
    [
      [200, ''],
      [200, ''],
    ],
  )
  assert.equal(server.outcomes[0]!.requestBytes, get('/1').length)
  assert.equal(server.outcomes[0]!.responseBytes, text.length / 2)
})

test('answers pipelined requests in order, each only when the one before is answered', async () => {
  const waiting: Exchange[] = []
  const paths: string[] = []
  await using server = await startForwarder({
    onRequest: (exchange) => (paths.push(exchange.head.path), void waiting.push(exchange)),
  })
  using client = new RawClient(server.port)
  client.send(get('/1') + get('/2') + get('/3'))
  for (let n = 1; n <= 3; n++) {
    await client.until(() => waiting.length === n)
    assert.equal(paths.length, n)
    waiting[n - 1]!.respond(200, [], `#${n}`)
  }
  const text = await client.until((text) => text.endsWith('#3'))
  assert.ok(text.indexOf('#1') < text.indexOf('#2'))
})

test('finds the next head wherever the bytes are cut', async () => {
  await using server = await startForwarder({ onRequest: echoPath })
  using client = new RawClient(server.port)
  const [first, second] = [get('/first'), get('/second', 'X-A: 1')]
  for (let cut = 1; cut <= second.length; cut++) {
    client.send(first + second.slice(0, cut))
    await client.until((text) => countOf(text, '/first') === cut)
    client.send(second.slice(cut))
    await client.until((text) => countOf(text, '/second') === cut)
  }
  assert.deepEqual(server.refusals, [])
})

test('answers no more pipelined requests than the caller takes answers', async () => {
  let answered = 0
  const body = Buffer.alloc(65_536, 'x')
  await using server = await startForwarder({ onRequest: (exchange) => (answered++, exchange.respond(200, [], body)) })
  using client = new RawClient(server.port)
  client.socket.pause()
  client.send(get('/').repeat(1_000))
  let before = -1
  while (answered !== before) {
    before = answered
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  assert.ok(answered > 0 && answered < 500, `${answered} answers`)
  client.socket.resume()
  while (answered < 1_000) await new Promise((resolve) => setTimeout(resolve, 5))
})

test('reads no more than it needs while a request is unanswered', async () => {
  await using server = await startForwarder({ onRequest: () => {} })
  using client = new RawClient(server.port)
  client.send(get('/1'))
  await client.until(() => server.connections[0]?.busy === true)
  client.send(get('/2'))
  await client.until(() => server.connections[0]!.socket.isPaused())
  for (let i = 0; i < 64; i++) client.send(Buffer.alloc(65_536, 'x'))
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.ok(server.connections[0]!.socket.bytesRead < 1_000_000)
})

test('refuses bad bytes with one answer, one record, an orderly end and no request', async () => {
  const cases = [
    [`GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
    [`GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(70_000)}\r\n\r\n`, 431],
    [`GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414],
    [`GET / HTTP/3.0\r\n\r\n`, 505],
    [`CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n`, 501],
    [`GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n`, 417],
  ] as const
  await using server = await startForwarder({ onRequest: echoPath })
  for (const [text, status] of cases) {
    using client = new RawClient(server.port)
    const answer = await client.send(text + get('/smuggled')).untilEnd()
    assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} .*\\r\\nconnection: close\\r\\n\\r\\npicket: .*\\n$`, 's'))
    assert.equal(countOf(answer, 'connection: close'), 1)
    assert.equal(client.error, undefined)
  }
  assert.equal(server.refusals.length, cases.length)
  assert.equal(server.outcomes.length, 0)
})

test('drains a short unread body and keeps the connection', async () => {
  await using server = await startForwarder({ onRequest: echoPath })
  using client = new RawClient(server.port)
  client.send('POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n')
  await client.until((text) => text.endsWith('ok'))
  assert.doesNotMatch(client.text, /connection: close/)
  const text = await client.send('x'.repeat(1000) + get('/2')).until((text) => countOf(text, 'ok') === 2)
  assert.match(text, /x-path: \/2/)
})

test('closes instead of draining a long unread body', async () => {
  await using server = await startForwarder({ onRequest: echoPath })
  for (const fields of ['Content-Length: 70000', 'Transfer-Encoding: chunked']) {
    using client = new RawClient(server.port)
    client.send(`POST /1 HTTP/1.1\r\nHost: a\r\n${fields}\r\n\r\n`)
    await client.until((text) => text.endsWith('ok'))
    for (let i = 0; i < 8; i++) client.send(`2710\r\n${'x'.repeat(10_000)}\r\n`)
    await client.untilEnd()
    assert.equal(countOf(client.text, 'HTTP/1.1'), 1)
  }
})

test('never invites the body of a request that it answers itself', async () => {
  await using server = await startForwarder({ onRequest: (exchange) => exchange.respond(403, [], 'no') })
  using client = new RawClient(server.port)
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n')
  assert.match(await client.untilEnd(), /^HTTP\/1\.1 403 Forbidden\r\n.*connection: close\r\n\r\nno$/s)
})

test('answers HEAD without a body', async () => {
  await using server = await startForwarder({ onRequest: echoPath })
  using client = new RawClient(server.port)
  const text = await client.send('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n').until((text) => text.includes('\r\n\r\n'))
  assert.match(text, /content-length: 2\r\n\r\n$/)
})

test('speaks HTTP/1.0: closes unless asked to keep the connection', async () => {
  await using server = await startForwarder({ onRequest: echoPath })
  using client = new RawClient(server.port)
  assert.match(await client.send('GET / HTTP/1.0\r\n\r\n').untilEnd(), /connection: close\r\n\r\nok$/)
  using keeping = new RawClient(server.port)
  const kept = 'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n'
  await keeping.send(kept).until((text) => text.endsWith('ok'))
  const text = await keeping.send(kept).until((text) => countOf(text, 'ok') === 2)
  assert.equal(countOf(text, 'connection: keep-alive'), 2)
})

test('answers a caller that ended its side after the request', async () => {
  const waiting: Exchange[] = []
  await using server = await startForwarder({ onRequest: (exchange) => void waiting.push(exchange) })
  using client = new RawClient(server.port)
  client.socket.end(get('/1') + get('/2'))
  await client.until(() => waiting.length === 1)
  await new Promise((resolve) => setTimeout(resolve, 30))
  waiting[0]!.respond(200, [], 'one')
  await client.until(() => waiting.length === 2)
  waiting[1]!.respond(200, [], 'two')
  assert.match(await client.untilEnd(), /one.*two$/s)
})

test('records a caller that is gone before its answer', async () => {
  const waiting: Exchange[] = []
  await using server = await startForwarder({ onRequest: (exchange) => void waiting.push(exchange) })
  using client = new RawClient(server.port)
  client.send(get('/'))
  await client.until(() => waiting.length === 1)
  client.socket.resetAndDestroy()
  await client.until(() => server.outcomes.length === 1 && server.closed.count === 1)
  assert.equal(server.outcomes[0]!.flag, 'client_disconnected')
  assert.equal(server.outcomes[0]!.status, 0)
  waiting[0]!.respond(200, [], 'too late')
})

test('a handler that throws becomes one 500 and one record', async () => {
  await using server = await startForwarder({
    onRequest: () => {
      throw new Error('broken')
    },
  })
  using client = new RawClient(server.port)
  assert.match(await client.send(get('/')).until((text) => text.includes('error\n')), /^HTTP\/1\.1 500 /)
  assert.deepEqual(
    server.outcomes.map(({ flag, detail }) => [flag, detail]),
    [['internal_error', 'broken']],
  )
})

test('refuses to send an own answer with a header that would split it', async () => {
  await using server = await startForwarder({
    onRequest: (exchange) => exchange.respond(200, [['x-a', 'b\r\nx-injected: c']], ''),
  })
  using client = new RawClient(server.port)
  const text = await client.send(get('/')).until((text) => text.includes('error\n'))
  assert.match(text, /^HTTP\/1\.1 500 /)
  assert.doesNotMatch(text, /injected/)
})

test('closes an idle connection, and answers 408 to half a head', async () => {
  const clock = new FakeClock()
  await using server = await startForwarder({ clock, onRequest: echoPath })
  using idle = new RawClient(server.port)
  await idle.send(get('/')).until((text) => text.endsWith('ok'))
  using slow = new RawClient(server.port)
  slow.send('GET / HTTP/1.1\r\nHo')
  await slow.until(() => server.connections[1]?.socket.bytesRead === 18)
  await clock.advance(9_900)
  slow.send('s')
  await slow.until(() => server.connections[1]?.socket.bytesRead === 19)
  assert.equal(slow.text, '')
  await clock.advance(600)
  assert.match(await slow.untilEnd(), /^HTTP\/1\.1 408 .*connection: close/s)
  assert.deepEqual(server.refusals, ['head_timeout'])
  assert.equal(idle.isEnded, false)
  await clock.advance(291_000)
  await idle.untilEnd()
  assert.equal(countOf(idle.text, 'HTTP/1.1'), 1)
})

test('drops a caller that goes on sending after the last answer', async () => {
  await using server = await startForwarder({ clock: new FakeClock(), onRequest: echoPath })
  using client = new RawClient(server.port)
  client.send('bad\r\n\r\n')
  for (let i = 0; i < 40; i++) client.send(Buffer.alloc(65_536, 'x'))
  await client.until(() => server.closed.count === 1)
})

test('drops a caller that lingers after the last answer', async () => {
  const clock = new FakeClock()
  await using server = await startForwarder({ clock, onRequest: echoPath })
  using client = new RawClient(server.port)
  await client.send('bad\r\n\r\n').untilEnd()
  await new Promise((resolve) => setTimeout(resolve, 20))
  assert.equal(server.closed.count, 0)
  await clock.advance(2_500)
  await client.until(() => server.closed.count === 1)
})

test('gives up on a decision that never comes when told how long to wait', async () => {
  const clock = new FakeClock()
  await using server = await startForwarder({ clock, limits: { requestTimeoutMs: 1_000 }, onRequest: () => {} })
  using client = new RawClient(server.port)
  client.send(get('/'))
  await client.until(() => server.connections[0]?.busy === true)
  await clock.advance(1_500)
  assert.match(await client.untilEnd(), /^HTTP\/1\.1 504 /)
  assert.equal(server.outcomes[0]!.flag, 'request_timeout')
})

test('drains: idle connections end now, busy ones with their answer', async () => {
  const waiting: Exchange[] = []
  await using server = await startForwarder({
    onRequest: (exchange) => (exchange.head.path === '/slow' ? void waiting.push(exchange) : echoPath(exchange)),
  })
  using idle = new RawClient(server.port)
  await idle.send(get('/')).until((text) => text.endsWith('ok'))
  using busy = new RawClient(server.port)
  busy.send(get('/slow'))
  await busy.until(() => waiting.length === 1)
  for (const connection of server.connections) connection.drain()
  await idle.untilEnd()
  assert.equal(busy.isEnded, false)
  waiting[0]!.respond(200, [], 'last')
  assert.match(await busy.untilEnd(), /connection: close\r\n\r\nlast$/)
})

test('whatever bytes come, every connection ends or waits and the server goes on', async () => {
  await using server = await startForwarder({ onRequest: echoPath })
  const noise = fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
      fc
        .constantFrom(
          get('/x'),
          'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n',
          '3\r\nabc\r\n',
          '\r\n',
        )
        .map((text) => Buffer.from(text)),
    ),
    { maxLength: 6 },
  )
  await fc.assert(
    fc.asyncProperty(noise, async (pieces) => {
      using client = new RawClient(server.port)
      for (const piece of pieces) client.send(piece)
      client.socket.end()
      await client.untilEnd()
    }),
    { numRuns: 200 },
  )
  using client = new RawClient(server.port)
  await client.send(get('/after')).until((text) => text.endsWith('ok'))
})
