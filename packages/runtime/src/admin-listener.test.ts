import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { startAdmin, toJson, toText, type AdminRoutes } from './admin-listener.ts'
import { silentLogger } from './logger.ts'
import { createRecordingLogger } from './testing.ts'

const ROUTES: AdminRoutes = {
  '/live': () => toText(200, 'live'),
  '/ready': () => Promise.resolve(toJson(503, { ready: false })),
  '/broken': () => Promise.reject(new Error('the password is hunter2')),
}

const ANYWHERE = { host: '127.0.0.1', port: 0 }

/** Sends raw bytes and gives everything that comes back until the server closes. */
function send(port: number, bytes: string | Uint8Array): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(port, '127.0.0.1', () => socket.end(bytes))
    socket.setEncoding('latin1').on('data', (text: string) => (answer += text))
    socket.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ECONNRESET' ? resolve(answer) : reject(error),
    )
    socket.on('close', () => resolve(answer))
  })
}

const get = (path: string, host = '127.0.0.1', method = 'GET'): string =>
  `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`
const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1])

test('answers its routes, whatever the query, and names them to the lost', async () => {
  await using admin = await startAdmin({ logger: silentLogger }, { address: ANYWHERE, routes: ROUTES })
  const { port } = admin.address
  assert.match(await send(port, get('/live')), /^HTTP\/1\.1 200 [^]*cache-control: no-store[^]*\r\n\r\n[^]*live\n/i)
  const ready = await send(port, get('/ready?verbose=1'))
  assert.equal(statusOf(ready), 503)
  assert.match(ready, /application\/json[^]*"ready": false/)
  for (const path of ['/', '/Live', '/live/', '//live', '/constructor', '/__proto__', 'http://127.0.0.1/live', '*']) {
    const answer = await send(port, get(path))
    assert.ok([400, 404].includes(statusOf(answer)), `${path} ${answer}`)
  }
  assert.match(await send(port, get('/nowhere')), /there are \/live \/ready \/broken/)
})

test('reads only: other methods are refused, HEAD has no body', async () => {
  await using admin = await startAdmin({ logger: silentLogger }, { address: ANYWHERE, routes: ROUTES })
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    assert.equal(statusOf(await send(admin.address.port, get('/live', '127.0.0.1', method))), 405, method)
  }
  assert.match(await send(admin.address.port, get('/live', '127.0.0.1', 'HEAD')), /^HTTP\/1\.1 200 [^]*\r\n\r\n$/)
})

test('answers nobody who calls it by a name that is not loopback', async () => {
  await using admin = await startAdmin({ logger: silentLogger }, { address: ANYWHERE, routes: ROUTES })
  const { port } = admin.address
  for (const host of ['localhost', `127.0.0.1:${port}`, '[::1]:7490', 'LOCALHOST:1']) {
    assert.equal(statusOf(await send(port, get('/live', host))), 200, host)
  }
  for (const host of [
    'evil.test',
    'localhost.evil.test',
    '127.0.0.1.evil.test',
    '10.0.0.1',
    '',
    'a@127.0.0.1',
    '[::1',
    '0.0.0.0',
  ]) {
    assert.equal(statusOf(await send(port, get('/live', host))), 421, host)
  }
  assert.equal(statusOf(await send(port, 'GET /live HTTP/1.0\r\n\r\n')), 421)
})

test('a route that fails is a 500 without its reason, which goes to the log', async () => {
  const logger = createRecordingLogger()
  await using admin = await startAdmin({ logger }, { address: ANYWHERE, routes: ROUTES })
  const answer = await send(admin.address.port, get('/broken'))
  assert.equal(statusOf(answer), 500)
  assert.doesNotMatch(answer, /hunter2/)
  assert.deepEqual(
    logger.entries.map(({ level, message }) => [level, message]),
    [['error', 'admin request failed']],
  )
})

test('rejects with the system’s error when the port is taken', async () => {
  await using first = await startAdmin({ logger: silentLogger }, { address: ANYWHERE, routes: ROUTES })
  const second = startAdmin({ logger: silentLogger }, { address: first.address, routes: ROUTES })
  await assert.rejects(second, { code: 'EADDRINUSE' })
})

test('disposal ends connections that are still open', async () => {
  const admin = await startAdmin({ logger: silentLogger }, { address: ANYWHERE, routes: ROUTES })
  const socket = connect(admin.address.port, '127.0.0.1')
  await new Promise((resolve) => socket.once('connect', resolve))
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.on('error', () => {})
  socket.write('GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await new Promise((resolve) => socket.once('data', resolve))
  await admin[Symbol.asyncDispose]()
  await closed
})

test('arbitrary bytes are refused and it goes on serving', async () => {
  await using admin = await startAdmin({ logger: silentLogger }, { address: ANYWHERE, routes: ROUTES })
  const { port } = admin.address
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
      assert.doesNotMatch(await send(port, bytes), /^HTTP\/1\.1 (2|5)/)
    }),
    { numRuns: 50 },
  )
  assert.equal(
    statusOf(await send(port, `GET /live HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(9000)}\r\n\r\n`)),
    431,
  )
  assert.equal(statusOf(await send(port, get('/live'))), 200)
})
