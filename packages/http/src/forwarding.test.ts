import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { FakeClock } from '@picket/runtime/testing'
import { RawClient } from './testing.ts'
import { startForwarder } from './testing-forwarder.ts'
import { answering, countOf, get, OK, startUpstream } from './testing-upstream.ts'

test('forwards the caller’s own bytes, without what is not for the upstream, with the lines it is given', async () => {
  await using upstream = await startUpstream(answering(OK))
  await using server = await startForwarder({
    upstreamPort: upstream.port,
    addRequestHeaders: 'x-request-id: 7\r\n',
    addResponseHeaders: 'x-served-by: picket\r\n',
  })
  using client = new RawClient(server.port)
  const fields = ['X-Request-ID: forged', 'X-One:  1 ', 'Connection: keep-alive, X-Hop', 'X-Hop: 1', 'Keep-Alive: 5']
  const more = ['X-Forwarded-Client-Cert: forged', 'TE: trailers', 'Upgrade: h2c', 'x-One: 2', 'Accept: */*']
  client.send(get('/a?b=%20c', ...fields, ...more))
  const text = await client.until((text) => text.endsWith('ok'))
  assert.equal(
    upstream.all(),
    'GET /a?b=%20c HTTP/1.1\r\nHost: a\r\nX-One:  1 \r\nx-One: 2\r\nAccept: */*\r\nx-request-id: 7\r\n\r\n',
  )
  assert.equal(text, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nx-served-by: picket\r\n\r\nok')
  const [outcome] = server.outcomes
  assert.equal(outcome!.responseBytes, text.length)
  assert.ok(outcome!.upstreamMs > 0 && outcome!.upstreamMs <= outcome!.durationMs)
})

test('removes the hop-by-hop fields of the response', async () => {
  const fields = 'Connection: keep-alive, x-hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nX-End: 2\r\n'
  await using upstream = await startUpstream(answering(`HTTP/1.1 200 OK\r\n${fields}Content-Length: 0\r\n\r\n`))
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  const text = await client.send(get('/')).until((text) => text.endsWith('\r\n\r\n'))
  assert.equal(text, 'HTTP/1.1 200 OK\r\nX-End: 2\r\nContent-Length: 0\r\n\r\n')
})

test('removes from the response what only we may say, and refuses it as its trailer', async () => {
  const response = 'HTTP/1.1 200 OK\r\nX-Verdict: forged\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n'
  await using upstream = await startUpstream((socket, received) => {
    if (received.endsWith('\r\n\r\n'))
      socket.write(`${response}${received.includes('/bad') ? 'x-verdict: 1\r\n' : ''}\r\n`)
  })
  await using server = await startForwarder({
    upstreamPort: upstream.port,
    removeResponseHeaders: ['x-verdict'],
    addResponseHeaders: 'x-verdict: ours\r\n',
  })
  using client = new RawClient(server.port)
  const text = await client.send(get('/')).until((text) => text.endsWith('0\r\n\r\n'))
  const fields = 'X-A: 1\r\nTransfer-Encoding: chunked\r\nx-verdict: ours\r\n'
  assert.equal(text, `HTTP/1.1 200 OK\r\n${fields}\r\n0\r\n\r\n`)
  await client.send(get('/bad')).until((text) => text.includes('HTTP/1.1 502 '))
  assert.equal(server.outcomes[1]!.flag, 'upstream_protocol_error')
})

test('a small exchange is one write in each direction', async () => {
  const writes = { down: 0, up: 0 }
  const counted = (socket: Socket, side: keyof typeof writes): void => {
    const write = socket.write.bind(socket)
    socket.write = (piece: string | Uint8Array) => ((writes[side] += 1), write(piece))
  }
  await using upstream = await startUpstream(answering(OK))
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  const post = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc'
  await client.send(post).until((text) => text.endsWith('ok'))
  counted(server.connections[0]!.socket, 'down')
  await client.send(post).until((text) => countOf(text, 'ok') === 2)
  assert.equal(writes.down, 1)
  assert.equal(upstream.received.length, 1)
})

test('streams a chunked request and a chunked response byte for byte, trailers included', async () => {
  const body = '3;x=y\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nX-Sum: 1\r\n\r\n'
  const response = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n'
  await using upstream = await startUpstream((socket, received) => {
    if (!received.endsWith('X-Sum: 1\r\n\r\n')) return
    const pieces = (response + body).split('')
    const next = (): void => void (pieces.length > 0 && socket.write(pieces.splice(0, 7).join(''), next))
    next()
  })
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  const head = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
  for (const one of (head + body).match(/.{1,5}/gs)!) {
    client.send(one)
    await new Promise((resolve) => setImmediate(resolve))
  }
  const text = await client.until((text) => text.endsWith('X-Sum: 1\r\n\r\n'))
  assert.equal(upstream.all(), head + body)
  assert.equal(text, response + body)
  client.send(get('/next'))
  await client.until(() => upstream.all().endsWith(get('/next')))
  assert.equal(upstream.received.length, 1, 'the connection is reused')
})

for (const [what, request, response] of [
  ['HEAD', 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n'],
  ['HEAD with chunked', 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['204', get('/'), 'HTTP/1.1 204 No Content\r\n\r\n'],
  ['304', get('/'), 'HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n'],
] as const)
  test(`a response to ${what} ends with its head and both connections stay`, async () => {
    await using upstream = await startUpstream(answering(response))
    await using server = await startForwarder({ upstreamPort: upstream.port })
    using client = new RawClient(server.port)
    await client.send(request).until((text) => text === response)
    await client.send(request).until((text) => text === response + response)
    assert.equal(upstream.received.length, 1)
  })

test('framing fields of a 204 are not passed on', async () => {
  await using upstream = await startUpstream(answering('HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n'))
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  await client.send(get('/')).until((text) => text === 'HTTP/1.1 204 No Content\r\n\r\n')
})

test('a response that ends with its connection becomes chunked, or ends the 1.0 caller’s connection', async () => {
  await using upstream = await startUpstream((socket, received) => {
    if (!received.endsWith('\r\n\r\n')) return
    socket.write('HTTP/1.0 200 Fine\r\nX-A: 1\r\n\r\nabc')
    setTimeout(() => socket.end('defg'), 20)
  })
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  const text = await client.send(get('/')).until((text) => text.endsWith('0\r\n\r\n'))
  assert.equal(
    text,
    'HTTP/1.1 200 Fine\r\nX-A: 1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n',
  )
  using old = new RawClient(server.port)
  const plain = await old.send('GET / HTTP/1.0\r\nHost: a\r\n\r\n').untilEnd()
  assert.equal(plain, 'HTTP/1.1 200 Fine\r\nX-A: 1\r\nconnection: close\r\n\r\nabcdefg')
})

test('relays the upstream’s 100 and other interim responses, then the final one', async () => {
  await using upstream = await startUpstream((socket, received) => {
    if (received.endsWith('hello')) socket.write(`HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${OK}`)
    else if (received.endsWith('\r\n\r\n')) socket.write('HTTP/1.1 100 Continue\r\n\r\n')
  })
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n')
  await client.until((text) => text === 'HTTP/1.1 100 Continue\r\n\r\n')
  assert.match(upstream.all(), /Expect: 100-continue/)
  const text = await client.send('hello').until((text) => text.endsWith('ok'))
  assert.equal(text, `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${OK}`)
})

test('finds the final head wherever the bytes are cut, also behind an interim one', async () => {
  const response = `HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${OK}`
  let cut = 0
  await using upstream = await startUpstream((socket, received) => {
    if (!received.endsWith('\r\n\r\n')) return
    socket.write(response.slice(0, cut))
    setTimeout(() => socket.write(response.slice(cut, cut + 9)), 2)
    setTimeout(() => socket.write(response.slice(cut + 9)), 4)
  })
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  for (cut = 1; cut < response.length - 9; cut++) {
    const text = await client.send(get('/')).until((text) => countOf(text, '\r\n\r\nok') === cut)
    assert.equal(text, response.repeat(cut))
  }
})

test('finds a long final head that came in pieces behind an interim one', async () => {
  const interim = 'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n'
  const final = OK.replace('\r\n', `\r\nX-Long: ${'y'.repeat(3_000)}\r\n`)
  await using upstream = await startUpstream((socket) => {
    const pieces = [interim.slice(0, 5), interim.slice(5) + final.slice(0, 30), final.slice(30)]
    const next = (): void => void (pieces.length > 0 && socket.write(pieces.shift()!, () => setTimeout(next, 5)))
    next()
  })
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  assert.equal(await client.send(get('/')).until((text) => text.endsWith('ok')), interim + final)
})

test('a final answer instead of a 100 ends the caller’s connection', async () => {
  await using upstream = await startUpstream(answering('HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n'))
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n')
  assert.match(await client.untilEnd(), /^HTTP\/1\.1 413 No\r\n.*connection: close\r\n\r\n$/s)
})

test('an answer that comes before the request has ended reaches the caller, while the rest is read or cut', async () => {
  await using upstream = await startUpstream(answering('HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno'))
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab')
  await client.until((text) => text.endsWith('no'))
  const text = await client.send(`cde${get('/next')}`).until((text) => countOf(text, '403') === 2)
  assert.doesNotMatch(text, /connection: close/)
  assert.equal(upstream.received.length, 2, 'the upstream connection with half a request is not reused')
  assert.doesNotMatch(upstream.received[1]!, /cde/)
})

test('an early answer to a request that is still long ends the connection at once', async () => {
  await using upstream = await startUpstream(answering('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
  await using server = await startForwarder({ clock: new FakeClock(), upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nab')
  assert.match(await client.untilEnd(), /ok$/)
})

test('a bad chunk ends the request: 400 to the caller, and the upstream never sees its end', async () => {
  await using upstream = await startUpstream(() => {})
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
  await client.until(() => upstream.all().endsWith('abc\r\n'))
  const text = await client.send(`3 \r\nabc\r\n0\r\n\r\n${get('/smuggled')}`).untilEnd()
  assert.match(text, /^HTTP\/1\.1 400 .*connection: close/s)
  assert.doesNotMatch(upstream.all(), /0\r\n\r\n|smuggled/)
  assert.deepEqual(
    server.outcomes.map(({ flag, detail, status }) => [flag, detail, status]),
    [['request_refused', 'invalid_chunk', 400]],
  )
})

test('a chunk that is bad from the start is refused before anything is dialled', async () => {
  await using upstream = await startUpstream(() => {})
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n')
  assert.match(await client.untilEnd(), /^HTTP\/1\.1 400 /)
  assert.equal(server.pool.counts.opened, 0)
})

test('a trailer that only we may set is refused', async () => {
  await using upstream = await startUpstream(() => {})
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  const trailer = 'X-Forwarded-Client-Cert: forged'
  const head = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
  client.send(`${head}0\r\n${trailer}\r\n\r\n`)
  assert.match(await client.untilEnd(), /^HTTP\/1\.1 400 /)
  using later = new RawClient(server.port)
  later.send(head)
  await later.until(() => upstream.all().endsWith('\r\n\r\n'))
  later.send(`1\r\na\r\n0\r\n${trailer}\r\n\r\n`)
  assert.match(await later.untilEnd(), /^HTTP\/1\.1 400 /)
  assert.doesNotMatch(upstream.all(), /forged/)
})
