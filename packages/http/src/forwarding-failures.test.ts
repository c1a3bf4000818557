import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { FakeClock } from '@picket/runtime/testing'
import { RawClient } from './testing.ts'
import { startForwarder } from './testing-forwarder.ts'
import { answering, get, OK, startUpstream } from './testing-upstream.ts'

const BAD_RESPONSES = [
  ['content-length and chunked', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['two content-lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok'],
  ['a folded header', 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok'],
  ['an unasked 101', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n'],
  ['no HTTP', 'SSH-2.0-OpenSSH\r\n'],
  ['a chunk that is bad from the start', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
  ['endless interim responses', 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(30)],
] as const

for (const [what, response] of BAD_RESPONSES)
  test(`an upstream that sends ${what} is a 502`, async () => {
    await using upstream = await startUpstream(answering(response))
    await using server = await startForwarder({ upstreamPort: upstream.port })
    using client = new RawClient(server.port)
    await client.send(get('/')).until((text) => /HTTP\/1\.1 502 .*error\n$/s.test(text))
    assert.equal(server.outcomes[0]!.flag, 'upstream_protocol_error')
    await client.until(() => upstream.sockets.size === 0)
  })

test('an upstream that answers HTTP/1.0 in chunks is a 502', async () => {
  await using upstream = await startUpstream(
    answering('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'),
  )
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  assert.match(await client.send('GET / HTTP/1.0\r\n\r\n').untilEnd(), /^HTTP\/1\.1 502 /)
})

test('a chunk that the upstream frames badly cuts the caller’s connection', async () => {
  await using upstream = await startUpstream((socket, received) => {
    if (!received.endsWith('\r\n\r\n')) return
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n')
    setTimeout(() => socket.write('2 \r\nok\r\n0\r\n\r\n'), 20)
  })
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  const text = await client.send(get('/')).untilEnd()
  assert.match(text, /2\r\nok\r\n$/)
  assert.equal(server.outcomes[0]!.flag, 'upstream_protocol_error')
})

test('an upstream that ends in the middle of a response cuts the caller’s connection', async () => {
  await using upstream = await startUpstream((socket, received) => {
    if (received.endsWith('\r\n\r\n')) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
  })
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  await client.send(get('/')).untilEnd()
  assert.deepEqual(
    server.outcomes.map(({ flag, status }) => [flag, status]),
    [['upstream_reset', 200]],
  )
})

test('an upstream that ends before its response is a 502', async () => {
  for (const half of ['', 'HTTP/1.1 200 OK\r\nContent-', 'HTTP/1.1 100 Continue\r\n\r\n']) {
    await using upstream = await startUpstream((socket) => void socket.end(half))
    await using server = await startForwarder({ upstreamPort: upstream.port })
    using client = new RawClient(server.port)
    await client.send(get('/')).until((text) => /HTTP\/1\.1 502 .*reset\n$/s.test(text))
    assert.equal(server.outcomes[0]!.flag, 'upstream_reset')
  }
})

test('the server says what its failures look like', async () => {
  await using server = await startForwarder({
    pool: { prepare: () => ({ flag: 'upstream_untrusted', message: 'wrong id' }) },
    upstreamPort: 1,
    failureAnswer: (flag, status) => ({ headers: [['x-error', flag]], body: `{"status":${status}}` }),
  })
  using client = new RawClient(server.port)
  const text = await client.send(get('/')).until((text) => text.endsWith('}'))
  assert.match(text, /^HTTP\/1\.1 502 Bad Gateway\r\nx-error: upstream_connect_failed\r\n.*\r\n\r\n\{"status":502\}$/s)
})

test('an upstream that does not answer in time is a 504', async () => {
  const clock = new FakeClock()
  await using upstream = await startUpstream(() => {})
  await using server = await startForwarder({ upstreamPort: upstream.port, clock })
  using client = new RawClient(server.port)
  client.send(get('/'))
  await client.until(() => upstream.all() !== '')
  await clock.advance(14_500)
  assert.equal(client.text, '')
  await clock.advance(1_000)
  assert.match(await client.until((text) => text.endsWith('timeout\n')), /^HTTP\/1\.1 504 /)
  assert.equal(server.outcomes[0]!.flag, 'response_timeout')
  await client.until(() => upstream.sockets.size === 0)
})

test('a caller whose body stalls is a 408, an upstream whose body stalls is cut', async () => {
  const clock = new FakeClock()
  const limits = { bodyIdleTimeoutMs: 5_000 }
  await using upstream = await startUpstream((socket, received) => {
    if (received.startsWith('GET')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
  })
  await using server = await startForwarder({ upstreamPort: upstream.port, clock, limits })
  using client = new RawClient(server.port)
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf')
  await client.until(() => upstream.all().endsWith('half'))
  await clock.advance(6_000)
  assert.match(await client.untilEnd(), /^HTTP\/1\.1 408 /)
  using other = new RawClient(server.port)
  await other.send(get('/')).until((text) => text.endsWith('half'))
  await clock.advance(6_000)
  await other.untilEnd()
  assert.deepEqual(
    server.outcomes.map(({ flag }) => flag),
    ['body_timeout', 'response_timeout'],
  )
})

test('a caller that leaves takes the upstream request with it', async () => {
  await using upstream = await startUpstream(() => {})
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  client.send(get('/'))
  await client.until(() => upstream.all() !== '')
  client.socket.resetAndDestroy()
  await client.until(() => upstream.sockets.size === 0)
  assert.equal(server.outcomes[0]!.flag, 'client_disconnected')
})

test('a caller that ends its side in the middle of its body takes the upstream request with it', async () => {
  await using upstream = await startUpstream(() => {})
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf')
  await client.until(() => upstream.all().endsWith('half'))
  client.socket.end()
  await client.until(() => upstream.sockets.size === 0)
  assert.equal(server.outcomes[0]!.flag, 'client_disconnected')
})

test('a caller that ended its side is given some time for its answer', async () => {
  const clock = new FakeClock()
  const waiting: Socket[] = []
  await using upstream = await startUpstream((socket) => void waiting.push(socket))
  await using server = await startForwarder({ upstreamPort: upstream.port, clock })
  using client = new RawClient(server.port)
  client.socket.end(get('/'))
  await client.until(() => waiting.length === 1)
  await clock.advance(5_000)
  waiting[0]!.write(OK)
  assert.match(await client.untilEnd(), /connection: close\r\n\r\nok$/)
  using gone = new RawClient(server.port)
  gone.socket.end(get('/'))
  await gone.until(() => waiting.length === 2)
  await clock.advance(11_000)
  await gone.until(() => server.outcomes.length === 2)
  assert.equal(server.outcomes[1]!.flag, 'client_disconnected')
})

test('drain ends the connection with the answer in flight', async () => {
  const waiting: Socket[] = []
  await using upstream = await startUpstream((socket) => void waiting.push(socket))
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  client.send(get('/'))
  await client.until(() => waiting.length === 1)
  server.connections[0]!.drain()
  waiting[0]!.write(OK)
  assert.match(await client.untilEnd(), /connection: close\r\n\r\nok$/)
  assert.equal(server.outcomes[0]!.flag, '')
})

test('destroy records the exchange in flight', async () => {
  await using upstream = await startUpstream(() => {})
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  client.send(get('/'))
  await client.until(() => upstream.all() !== '')
  server.connections[0]!.destroy()
  await client.until((_, { isEnded }) => isEnded && server.closed.count === 1)
  assert.deepEqual(
    server.outcomes.map(({ flag }) => flag),
    ['drained'],
  )
})
