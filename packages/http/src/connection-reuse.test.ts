import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { FakeClock } from '@picket/runtime/testing'
import { listen, RawClient } from './testing.ts'
import { startForwarder } from './testing-forwarder.ts'
import { countOf, get, OK, scripted } from './testing-upstream.ts'

const post = (path: string): string => `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx`
const isIdle = (server: { pool: { counts: { idle: number } } }) => (): boolean => server.pool.counts.idle === 1

test('reuses the connection that was used last', async () => {
  const received: Socket[] = []
  await using upstream = await listen((socket) => void socket.on('data', () => received.push(socket)))
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using one = new RawClient(server.port)
  using two = new RawClient(server.port)
  one.send(get('/1'))
  await one.until(() => received.length === 1)
  two.send(get('/2'))
  await two.until(() => received.length === 2)
  received[0]!.write(OK)
  await one.until((text) => text.endsWith('ok'))
  received[1]!.write(OK)
  await two.until((text) => text.endsWith('ok'))
  one.send(get('/3'))
  await one.until(() => received.length === 3)
  assert.equal(received[2], received[1])
  assert.equal(server.pool.counts.opened, 2)
})

test('sends an idempotent request again when the reused connection was just being closed', async () => {
  const received: string[] = []
  await using upstream = await listen(scripted([OK, 'destroy'], received))
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  await client.send(get('/1')).until((text) => text.endsWith('ok'))
  const text = await client.send(get('/2')).until((text) => countOf(text, 'ok') === 2)
  assert.doesNotMatch(text, /50/)
  assert.deepEqual(received, [get('/1'), get('/2'), get('/2')])
  assert.equal(server.pool.counts.reuseRaces, 1)
  assert.deepEqual(
    server.outcomes.map(({ retried, reused, status }) => [retried, reused, status]),
    [
      [false, false, 200],
      [true, false, 200],
    ],
  )
})

test('never sends again what may have been acted upon', async () => {
  const received: string[] = []
  await using upstream = await listen(scripted([OK, 'destroy'], received))
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  await client.send(get('/1')).until((text) => text.endsWith('ok'))
  await client.send(post('/2')).until((text) => /HTTP\/1\.1 502 .*reset\n$/s.test(text))
  assert.deepEqual(received, [get('/1'), post('/2')])
  assert.equal(server.outcomes[1]!.flag, 'upstream_reset')
})

test('sends again only once, and never from a fresh connection', async () => {
  const received: string[] = []
  await using upstream = await listen((socket) =>
    scripted(received.length === 0 ? [OK, 'destroy'] : ['destroy'], received)(socket),
  )
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  await client.send(get('/1')).until((text) => text.endsWith('ok'))
  await client.send(get('/2')).until((text) => /HTTP\/1\.1 502 /.test(text))
  assert.equal(received.length, 3)
})

test('does not send again once a byte of a response came', async () => {
  const received: string[] = []
  await using upstream = await listen((socket) => {
    scripted([OK, 'HTTP/1.1 200'], received)(socket)
    socket.on('data', () => received.length === 2 && setTimeout(() => socket.destroy(), 20))
  })
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  await client.send(get('/1')).until((text) => text.endsWith('ok'))
  await client.send(get('/2')).until((text) => /HTTP\/1\.1 502 /.test(text))
  assert.equal(received.length, 2)
})

test('does not send again when parts of the body are no longer held', async () => {
  let received = ''
  await using upstream = await listen((socket) => {
    socket.on('data', (piece) => {
      received += piece.toString('latin1')
      if (received === get('/1')) socket.write(OK)
      if (received.endsWith('abcd')) socket.resetAndDestroy()
    })
  })
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  await client.send(get('/1')).until((text) => text.endsWith('ok'))
  client.send('PUT /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nab')
  await client.until(() => received.endsWith('ab'))
  await client.send('cd').until((text) => text.includes('HTTP/1.1 502 '))
  assert.equal(server.pool.counts.opened, 1)
})

test('a request with a large body that is still held is sent again whole', async () => {
  const body = 'x'.repeat(40_000)
  const put = `PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  let received = ''
  let isFirst = true
  await using upstream = await listen((socket) => {
    const isReset = isFirst
    isFirst = false
    let served = 0
    socket.on('data', (piece) => {
      if (served++ === 0 && isReset) return void socket.write(OK)
      if (isReset) return void socket.resetAndDestroy()
      received += piece.toString('latin1')
      if (received.length === put.length) socket.write(OK)
    })
  })
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  await client.send(get('/1')).until((text) => text.endsWith('ok'))
  await client.send(put).until((text) => countOf(text, 'ok') === 2)
  assert.equal(received, put)
})

test('bytes on an idle connection discard it: they could only become somebody else’s answer', async () => {
  await using upstream = await listen(scripted([OK]))
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  await client.send(get('/1')).until((text) => text.endsWith('ok'))
  await client.until(isIdle(server))
  for (const socket of upstream.sockets) socket.write(OK.replace('ok', 'no'))
  await client.until(() => server.pool.counts.connections === 0)
  const text = await client.send(get('/2')).until((text) => countOf(text, 'ok') === 2)
  assert.doesNotMatch(text, /no$/)
})

test('bytes behind a response discard the connection', async () => {
  await using upstream = await listen(scripted([`${OK}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno`, OK]))
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  await client.send(get('/1')).until((text) => text.endsWith('ok'))
  assert.equal(server.pool.counts.connections, 0)
})

test('an end on an idle connection discards it', async () => {
  await using upstream = await listen(scripted([OK]))
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  await client.send(get('/1')).until((text) => text.endsWith('ok'))
  await client.until(isIdle(server))
  for (const socket of upstream.sockets) socket.end()
  await client.until(() => server.pool.counts.connections === 0)
})

test('does not keep what the upstream says it closes', async () => {
  await using upstream = await listen(scripted(['HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok']))
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  await client.send(get('/1')).until((text) => text.endsWith('ok'))
  assert.equal(server.pool.counts.connections, 0)
})

test('closes idle connections before the upstream’s own patience ends', async () => {
  const clock = new FakeClock()
  await using upstream = await listen(scripted([OK.replace('\r\n', '\r\nKeep-Alive: timeout=5\r\n')]))
  await using server = await startForwarder({ upstreamPort: upstream.port, clock })
  using client = new RawClient(server.port)
  await client.send(get('/1')).until((text) => text.endsWith('ok'))
  await client.until(isIdle(server))
  await clock.advance(3_800)
  assert.equal(server.pool.counts.idle, 1)
  await clock.advance(800)
  assert.equal(server.pool.counts.idle, 0)
})

test('closes idle connections after its own timeout', async () => {
  const clock = new FakeClock()
  await using upstream = await listen(scripted([OK]))
  await using server = await startForwarder({ upstreamPort: upstream.port, clock })
  using client = new RawClient(server.port)
  await client.send(get('/1')).until((text) => text.endsWith('ok'))
  await clock.advance(59_000)
  assert.equal(server.pool.counts.idle, 1)
  await clock.advance(2_000)
  assert.equal(server.pool.counts.idle, 0)
})

test('a request that must have a fresh connection does not get one that another gave back', async () => {
  const received: string[] = []
  let held: Socket | undefined
  await using upstream = await listen((socket) => {
    scripted([OK], received)(socket)
    if (held === undefined) {
      held = socket
      socket.removeAllListeners('data')
      socket.on('data', (piece) => received.push(piece.toString('latin1')) === 1 && socket.write(OK))
    }
  })
  await using server = await startForwarder({ upstreamPort: upstream.port, pool: { maxConnections: 1 } })
  using one = new RawClient(server.port)
  using two = new RawClient(server.port)
  await one.send(get('/1')).until((text) => text.endsWith('ok'))
  one.send(get('/2'))
  await one.until(() => received.length === 2)
  two.send(get('/3'))
  await two.until(() => server.pool.counts.pending === 1)
  held!.resetAndDestroy()
  await two.until((text) => text.endsWith('ok'))
  await one.until((text) => countOf(text, 'ok') === 2)
  assert.deepEqual(received, [get('/1'), get('/2'), get('/3'), get('/2')])
  assert.equal(server.pool.counts.opened, 3)
})
