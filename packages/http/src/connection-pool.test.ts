import assert from 'node:assert/strict'
import net, { type Socket } from 'node:net'
import { test } from 'node:test'
import { FakeClock } from '@picket/runtime/testing'
import { listen, RawClient } from './testing.ts'
import { startForwarder } from './testing-forwarder.ts'
import { get, OK, scripted } from './testing-upstream.ts'

test('holds no more connections than allowed; the next exchange waits for one', async () => {
  const waiting: Socket[] = []
  await using upstream = await listen((socket) => void socket.on('data', () => waiting.push(socket)))
  await using server = await startForwarder({ upstreamPort: upstream.port, pool: { maxConnections: 1, maxPending: 1 } })
  using one = new RawClient(server.port)
  using two = new RawClient(server.port)
  using three = new RawClient(server.port)
  one.send(get('/1'))
  await one.until(() => waiting.length === 1)
  two.send(get('/2'))
  await two.until(() => server.pool.counts.pending === 1)
  assert.match(await three.send(get('/3')).until((text) => text.endsWith('overflow\n')), /^HTTP\/1\.1 503 /)
  waiting[0]!.write(OK)
  await two.until(() => waiting.length === 2)
  waiting[1]!.write(OK)
  await two.until((text) => text.endsWith('ok'))
  assert.equal(server.pool.counts.opened, 1)
})

test('an exchange that waits in vain for a connection is a 503', async () => {
  const clock = new FakeClock()
  await using upstream = await listen((socket) => void socket.resume())
  await using server = await startForwarder({ upstreamPort: upstream.port, clock, pool: { maxConnections: 1 } })
  using one = new RawClient(server.port)
  one.send(get('/1'))
  await one.until(() => server.connections.length === 1 && server.pool.counts.connections === 1)
  using two = new RawClient(server.port)
  two.send(get('/2'))
  await two.until(() => server.pool.counts.pending === 1)
  await clock.advance(3_000)
  await two.until((text) => /^HTTP\/1\.1 503 .*overflow\n$/s.test(text))
})

test('an upstream that cannot be reached is a 502', async () => {
  const { port } = await listen(() => {}).then(async (server) => (await server[Symbol.asyncDispose](), server))
  await using server = await startForwarder({ upstreamPort: port })
  using client = new RawClient(server.port)
  await client.send(get('/1')).until((text) => /^HTTP\/1\.1 502 .*connect failed\n$/s.test(text))
  assert.deepEqual(
    server.outcomes.map(({ flag, detail }) => [flag, detail]),
    [['upstream_connect_failed', 'ECONNREFUSED']],
  )
})

test('a connect that throws is a 502', async () => {
  const connect = (): Socket => {
    throw new Error('no such host')
  }
  await using server = await startForwarder({ pool: { connect } })
  using client = new RawClient(server.port)
  await client.send(get('/1')).until((text) => text.startsWith('HTTP/1.1 502 '))
  assert.equal(server.outcomes[0]!.detail, 'no such host')
})

test('a connection that is not ready in time is a 504', async () => {
  const clock = new FakeClock()
  await using upstream = await listen(() => {})
  await using server = await startForwarder({
    clock,
    pool: {
      readyEvent: 'secureConnect', // never comes on a plain socket
      connect: () => net.connect(upstream.port, '127.0.0.1'),
    },
  })
  using client = new RawClient(server.port)
  client.send(get('/1'))
  await client.until(() => upstream.sockets.size === 1)
  await clock.advance(2_500)
  await client.until((text) => /^HTTP\/1\.1 504 .*connect timeout\n$/s.test(text))
  assert.equal(server.outcomes[0]!.flag, 'upstream_connect_timeout')
})

test('a connection that is refused by `prepare` never gets a byte', async () => {
  const received: string[] = []
  await using upstream = await listen(scripted([OK], received))
  await using server = await startForwarder({
    upstreamPort: upstream.port,
    pool: { prepare: () => ({ flag: 'upstream_untrusted', message: 'wrong id' }) },
  })
  using client = new RawClient(server.port)
  await client.send(get('/1')).until((text) => /^HTTP\/1\.1 502 .*untrusted\n$/s.test(text))
  await client.until(() => upstream.sockets.size === 0)
  assert.deepEqual(received, [])
  assert.deepEqual(
    server.outcomes.map(({ flag, detail }) => [flag, detail]),
    [['upstream_untrusted', 'wrong id']],
  )
})

test('renew closes idle connections now and busy ones after their exchange', async () => {
  const waiting: Socket[] = []
  await using upstream = await listen((socket) => void socket.on('data', () => waiting.push(socket)))
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  client.send(get('/1'))
  await client.until(() => waiting.length === 1)
  server.pool.renew()
  waiting[0]!.write(OK)
  await client.until((text) => text.endsWith('ok'))
  assert.equal(server.pool.counts.connections, 0)
})

test('disposal ends everything; an exchange in flight becomes an answer', async () => {
  await using upstream = await listen((socket) => void socket.resume())
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  client.send(get('/1'))
  await client.until(() => upstream.sockets.size === 1)
  await server.pool[Symbol.asyncDispose]()
  await client.until((text) => text.startsWith('HTTP/1.1 502 '))
  await client.send(get('/2')).until((text) => /HTTP\/1\.1 503 .*drained\n$/s.test(text))
  assert.equal(server.pool.counts.connections, 0)
})
