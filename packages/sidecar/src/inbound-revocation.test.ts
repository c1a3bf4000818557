import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request as httpsRequest } from 'node:https'
import { test } from 'node:test'
import { connect, type TLSSocket } from 'node:tls'
import { createBundleSource, createRevocationList, type RevocationSubject, type X509Svid } from '@picket/identity'
import { toSecureContextOptions } from '@picket/mtls'
import { eventually } from '@picket/mtls/testing'
import { systemClock } from '@picket/runtime'
import { call, createTestAgent, startTestApp, startTestInbound, type TestInbound } from './testing-inbound.ts'

const GATEWAY: RevocationSubject = { kind: 'spiffe-id', value: 'spiffe://bank.test/gateway' }

function revoke({ authority, bundles }: TestInbound, subject: RevocationSubject = GATEWAY): void {
  bundles.set(createBundleSource([authority.bundle], createRevocationList([subject])))
}

async function connectRaw({ host, port }: TestInbound['address'], svid: X509Svid): Promise<TLSSocket> {
  const socket = connect({ host, port, ...toSecureContextOptions(svid), rejectUnauthorized: false })
  socket.on('error', () => {})
  await once(socket, 'secureConnect')
  return socket
}

test('a revoked peer is out when the list is taken over: its live connection, its sessions, its next handshake', async () => {
  await using app = await startTestApp()
  await using inbound = await startTestInbound(app.address)
  const revoked = createTestAgent(inbound.authority.issueSvid('/gateway'))
  const other = createTestAgent(inbound.authority.issueSvid('/support-portal'))
  assert.equal((await call(inbound.address, revoked)).status, 200)
  assert.equal((await call(inbound.address, other)).status, 403)
  revoke(inbound)
  await assert.rejects(call(inbound.address, revoked))
  await assert.rejects(call(inbound.address, revoked))
  assert.equal((await call(inbound.address, other)).status, 403)
  assert.equal(app.requests.length, 1)
  assert.match(inbound.metrics.render(), /picket_connections_total\{direction="inbound"\} 2/)
  const records = await inbound.records()
  assert.equal(records.filter(({ kind }) => kind === 'revoked').length, 1)
  assert.ok(records.some(({ kind, reason }) => kind === 'handshake' && reason === 'revoked'))
})

const subjects: Record<string, (svid: X509Svid) => RevocationSubject> = {
  'its SPIFFE ID': () => GATEWAY,
  'its serial number': ({ chain }) => ({ kind: 'serial', value: chain[0]!.serialNumber }),
  'its authority’s key': ({ chain }) => ({ kind: 'authority-key', value: chain[0]!.authorityKeyId! }),
}
for (const [what, toSubject] of Object.entries(subjects)) {
  test(`a live connection ends by ${what}`, async () => {
    await using app = await startTestApp()
    await using inbound = await startTestInbound(app.address)
    const svid = inbound.authority.issueSvid('/gateway')
    const agent = createTestAgent(svid)
    assert.equal((await call(inbound.address, agent)).status, 200)
    revoke(inbound, toSubject(svid))
    await assert.rejects(call(inbound.address, agent))
    assert.equal(app.requests.length, 1)
  })
}

test('requests that were pipelined behind the one in flight are not forwarded', async () => {
  const door = Promise.withResolvers<void>()
  await using app = await startTestApp((request, response) => {
    request.resume()
    void door.promise.then(() => response.end('late'))
  })
  await using inbound = await startTestInbound(app.address)
  const socket = await connectRaw(inbound.address, inbound.authority.issueSvid('/gateway'))
  const head = 'GET /accounts/42 HTTP/1.1\r\nhost: accounts.mesh\r\n\r\n'
  socket.write(head.repeat(20))
  await eventually(() => app.requests.length === 1)
  const closed = new Promise((resolve) => socket.once('close', resolve))
  revoke(inbound)
  door.resolve()
  await closed
  await systemClock.sleep(50)
  assert.equal(app.requests.length, 1)
  assert.equal(socket.bytesRead > 0 && String(socket.read() ?? '').includes('late'), false)
})

test('bytes that were on their way before the list came, and are read after it, are not forwarded', async () => {
  await using app = await startTestApp()
  await using inbound = await startTestInbound(app.address)
  const socket = await connectRaw(inbound.address, inbound.authority.issueSvid('/gateway'))
  await eventually(() => /picket_connections\{direction="inbound"\} 1/.test(inbound.metrics.render()))
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.write('GET /accounts/42 HTTP/1.1\r\nhost: accounts.mesh\r\n\r\n')
  revoke(inbound)
  await closed
  assert.equal(app.requests.length, 0)
})

test('a long answer is cut off, once on the record as what it was', async () => {
  await using app = await startTestApp((_request, response) => {
    response.writeHead(200)
    const timer = setInterval(() => response.write('x'.repeat(1000)), 5)
    response.once('close', () => clearInterval(timer))
  })
  await using inbound = await startTestInbound(app.address)
  const agent = createTestAgent(inbound.authority.issueSvid('/gateway'))
  const { host, port } = inbound.address
  const request = httpsRequest({ host, port, agent, path: '/accounts/42', headers: { host: 'accounts.mesh' } }).end()
  const [response] = await once(request, 'response')
  let received = 0
  response.on('data', (piece: Buffer) => (received += piece.length))
  const cut = new Promise<string>((resolve) => response.once('error', ({ code }: { code: string }) => resolve(code)))
  await eventually(() => received > 5000)
  revoke(inbound)
  assert.equal(await cut, 'ECONNRESET')
  const before = received
  await systemClock.sleep(50)
  assert.equal(received, before)
  const records = await inbound.records()
  const told = records.map(({ kind, reason, flag }) => [kind, reason, flag])
  assert.deepEqual(told, [
    ['request', 'allowed', 'drained'],
    ['revoked', 'revoked', undefined],
  ])
})

test('a peer that is taken off the list is let in again', async () => {
  await using app = await startTestApp()
  await using inbound = await startTestInbound(app.address)
  const agent = createTestAgent(inbound.authority.issueSvid('/gateway'))
  revoke(inbound)
  await assert.rejects(call(inbound.address, agent))
  inbound.bundles.set(inbound.authority.bundles)
  assert.equal((await call(inbound.address, agent)).status, 200)
})
