import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { encodeCertificatesPem, encodePrivateKeyPem, type X509Svid } from '@picket/identity'
import { toSecureContextOptions } from '@picket/mtls'
import { replaceBundleData } from '@picket/policy'
import { readShippedBundle } from '@picket/policy/testing'
import { formatHostPort, type HostPort } from '@picket/runtime'
import { call, createTestAgent, startTestApp, startTestInbound } from './testing-inbound.ts'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/

async function connectAs({ host, port }: HostPort, svid: X509Svid): Promise<TLSSocket> {
  const socket = connectTls({ host, port, ...toSecureContextOptions(svid), rejectUnauthorized: false })
  socket.on('error', () => {})
  await once(socket, 'secureConnect')
  return socket
}

/** Sends raw bytes and reads until the other side closes. */
async function exchangeRaw(address: HostPort, svid: X509Svid, bytes: string): Promise<string> {
  const socket = await connectAs(address, svid)
  socket.write(bytes)
  let received = ''
  for await (const chunk of socket) received += String(chunk)
  return received
}

test('an allowed call reaches the app with the identity of its caller, and is recorded once', async () => {
  await using app = await startTestApp()
  await using inbound = await startTestInbound(app.address)
  const caller = inbound.authority.issueSvid('/gateway')
  const agent = createTestAgent(caller)
  const reply = await call(inbound.address, agent, { path: '/accounts/42?currency=EUR' })
  assert.equal(reply.status, 200)
  assert.equal(reply.body, 'from the app')
  const [seen] = app.requests
  const hash = createHash('sha256').update(caller.chain[0]!.der).digest('hex')
  assert.equal(seen?.url, '/accounts/42?currency=EUR')
  assert.equal(
    seen.headers['x-forwarded-client-cert'],
    `By=spiffe://bank.test/accounts;Hash=${hash};URI=spiffe://bank.test/gateway`,
  )
  assert.match(String(seen.headers['x-request-id']), UUID)
  assert.equal(reply.headers['x-request-id'], seen.headers['x-request-id'])
  agent.destroy()
  const records = await inbound.records()
  assert.equal(records.length, 1)
  const { time, peer, duration_us, upstream_us, request_bytes, response_bytes, revision, ...record } = records[0]!
  assert.deepEqual(record, {
    kind: 'request',
    direction: 'inbound',
    service: 'accounts',
    caller: 'spiffe://bank.test/gateway',
    method: 'GET',
    path: '/accounts/42',
    status: 200,
    decision: 'allow',
    reason: 'allowed',
    decision_id: seen.headers['x-request-id'],
    flag: '',
  })
  assert(Math.abs(Date.now() - Date.parse(String(time))) < 60_000)
  assert.match(String(peer), /^127\.0\.0\.1:\d+$/)
  assert(Number(duration_us) >= Number(upstream_us) && Number(upstream_us) > 0)
  assert(Number(request_bytes) > 50 && Number(response_bytes) > 50)
  assert.notEqual(revision, '')
})

test('a denied call is answered with its decision ID and no policy detail, and never reaches the app', async () => {
  await using app = await startTestApp()
  await using inbound = await startTestInbound(app.address)
  const agent = createTestAgent(inbound.authority.issueSvid('/support-portal'))
  const reply = await call(inbound.address, agent)
  assert.equal(reply.status, 403)
  assert.equal(reply.headers['content-type'], 'application/json')
  assert.equal(reply.headers['x-picket-error'], 'denied')
  const id = String(reply.headers['x-request-id'])
  assert.deepEqual(JSON.parse(reply.body), { error: 'denied', decision_id: id })
  assert.equal(app.requests.length, 0)
  const again = await call(inbound.address, agent)
  assert.notEqual(again.headers['x-request-id'], id)
  agent.destroy()
  const [record] = await inbound.records()
  assert.equal(record?.['decision'], 'deny')
  assert.equal(record['reason'], 'policy_denied')
  assert.equal(record['decision_id'], id)
  assert.match(String(record['detail']), /support-portal has none of the roles/)
})

test('claims of identity that the caller sends are removed, however they are spelled', async () => {
  await using app = await startTestApp()
  await using inbound = await startTestInbound(app.address)
  const agent = createTestAgent(inbound.authority.issueSvid('/gateway'))
  await call(inbound.address, agent, {
    headers: {
      'X-Forwarded-Client-Cert': 'URI=spiffe://bank.test/root',
      x_forwarded_client_cert: 'URI=spiffe://bank.test/root',
      'X-Forwarded_Client-Cert': 'URI=spiffe://bank.test/root',
      'X-Request-ID': 'mine',
      x_request_id: 'mine',
      'X-Picket-Risk': '0',
      X_Picket_Risk: '0',
      'x-forwarded-for': '203.0.113.7',
    },
  })
  agent.destroy()
  const { headers } = app.requests[0]!
  assert.deepEqual(
    Object.keys(headers)
      .filter((name) => name.startsWith('x'))
      .sort(),
    ['x-forwarded-client-cert', 'x-forwarded-for', 'x-request-id'],
  )
  assert.match(String(headers['x-forwarded-client-cert']), /URI=spiffe:\/\/bank\.test\/gateway$/)
  assert.match(String(headers['x-request-id']), UUID)
})

test('a policy swap decides the next request of a live connection', async () => {
  await using app = await startTestApp()
  await using inbound = await startTestInbound(app.address)
  const agent = createTestAgent(inbound.authority.issueSvid('/gateway'))
  const shipped = await readShippedBundle()
  const closed = await replaceBundleData(shipped, { roles: {}, routes: {} }, { revision: 'closed' })
  const statuses: number[] = []
  for (const bundle of [shipped, closed, shipped]) {
    await inbound.policy.activate(bundle)
    statuses.push((await call(inbound.address, agent)).status)
  }
  agent.destroy()
  assert.deepEqual(statuses, [200, 403, 200])
  const records = await inbound.records()
  assert.deepEqual(new Set(records.map(({ peer }) => peer)).size, 1)
  assert.equal(records[1]?.['revision'], 'closed')
})

test('without a policy everything is refused, with a reason of its own', async () => {
  await using app = await startTestApp()
  await using inbound = await startTestInbound(app.address, { policy: 'none' })
  const agent = createTestAgent(inbound.authority.issueSvid('/gateway'))
  const reply = await call(inbound.address, agent)
  assert.equal(reply.status, 503)
  assert.equal(reply.headers['x-picket-error'], 'policy_unavailable')
  agent.destroy()
  const [record] = await inbound.records()
  assert.equal(record?.['reason'], 'policy_missing')
  assert.equal(app.requests.length, 0)
})

test('a malformed head is one 400, one record and no forwarded request', async () => {
  await using app = await startTestApp()
  await using inbound = await startTestInbound(app.address)
  const caller = inbound.authority.issueSvid('/gateway')
  const smuggled =
    'POST /accounts/42 HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /accounts/1 HTTP/1.1\r\nhost: a\r\n\r\n'
  const answer = await exchangeRaw(inbound.address, caller, smuggled)
  assert.match(answer, /^HTTP\/1\.1 400 /)
  assert.match(answer, /connection: close/)
  assert.equal(answer.match(/HTTP\/1\.1/g)?.length, 1)
  assert.equal(app.requests.length, 0)
  const records = await inbound.records()
  assert.equal(records.length, 1)
  const { kind, status, reason, caller: who, decision } = records[0]!
  assert.deepEqual(
    { kind, status, reason, who, decision },
    {
      kind: 'malformed',
      status: 400,
      reason: 'conflicting_framing',
      who: 'spiffe://bank.test/gateway',
      decision: 'refuse',
    },
  )
})

test('requests that are pipelined are answered and recorded in order', async () => {
  await using app = await startTestApp()
  await using inbound = await startTestInbound(app.address)
  const head = (path: string, last = ''): string => `GET ${path} HTTP/1.1\r\nhost: a\r\n${last}\r\n`
  const bytes = head('/accounts/1') + head('/accounts') + head('/accounts/3', 'connection: close\r\n')
  const answer = await exchangeRaw(inbound.address, inbound.authority.issueSvid('/gateway'), bytes)
  assert.deepEqual(answer.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 403', 'HTTP/1.1 200'])
  const records = await inbound.records()
  assert.deepEqual(
    records.map(({ path, status }) => `${String(path)} ${String(status)}`),
    ['/accounts/1 200', '/accounts 403', '/accounts/3 200'],
  )
  assert.equal(new Set(records.map(({ decision_id }) => decision_id)).size, 3)
})

test('bodies stream both ways', async () => {
  const bytes = randomBytes(8 * 1024 * 1024)
  await using app = await startTestApp((request, response) => void request.pipe(response))
  await using inbound = await startTestInbound(app.address)
  const caller = inbound.authority.issueSvid('/gateway')
  const bundle = await replaceBundleData(await readShippedBundle(), {
    roles: { '/gateway': ['any'] },
    routes: { accounts: [{ method: 'POST', path: '/echo', roles: ['any'] }] },
  })
  await inbound.policy.activate(bundle)
  const agent = createTestAgent(caller)
  const reply = await call(inbound.address, agent, { method: 'POST', path: '/echo', body: bytes })
  agent.destroy()
  assert.equal(reply.status, 200)
  assert.equal(reply.headers['transfer-encoding'], 'chunked')
  const [record] = await inbound.records()
  assert(Number(record?.['request_bytes']) > bytes.length)
  assert(Number(record?.['response_bytes']) > bytes.length)
})

test('an app that is down is a 502 in our words', async () => {
  const app = await startTestApp()
  await app[Symbol.asyncDispose]()
  await using inbound = await startTestInbound(app.address)
  const agent = createTestAgent(inbound.authority.issueSvid('/gateway'))
  const reply = await call(inbound.address, agent)
  assert.equal(reply.status, 502)
  assert.equal(reply.headers['x-picket-error'], 'upstream_connect_failed')
  assert.equal(JSON.parse(reply.body).error, 'upstream_connect_failed')
  agent.destroy()
  const [record] = await inbound.records()
  assert.equal(record?.['decision'], 'allow')
  assert.equal(record['flag'], 'upstream_connect_failed')
  assert.equal(record['decision_id'], reply.headers['x-request-id'])
  assert.match(inbound.metrics.render(), /picket_request_failures_total\{.*upstream_connect_failed.*\} 1/)
})

test('what the app says of itself cannot pass for the sidecar', async () => {
  await using app = await startTestApp((_request, response) => {
    response.setHeader('x-picket-error', 'denied')
    response.setHeader('x-request-id', 'of the app')
    response.end()
  })
  await using inbound = await startTestInbound(app.address)
  const agent = createTestAgent(inbound.authority.issueSvid('/gateway'))
  const { headers } = await call(inbound.address, agent)
  agent.destroy()
  assert.equal(headers['x-picket-error'], undefined)
  assert.match(String(headers['x-request-id']), UUID)
})

test('every refused handshake has one record with its reason', async () => {
  await using app = await startTestApp()
  await using inbound = await startTestInbound(app.address)
  const svid = inbound.authority.issueSvid('/gateway', { notAfter: new Date(Date.now() - 1000) })
  const socket = await connectAs(inbound.address, svid)
  if (!socket.closed) await once(socket, 'close')
  const records = await inbound.records()
  assert.equal(records.length, 1)
  const { kind, reason, peer, decision } = records[0]!
  assert.deepEqual({ kind, reason, decision }, { kind: 'handshake', reason: 'expired', decision: 'refuse' })
  assert.match(String(peer), /^127\.0\.0\.1:\d+$/)
  assert.match(inbound.metrics.render(), /picket_handshakes_refused_total\{code="expired"\} 1/)
  assert.notEqual(formatHostPort(inbound.address), peer)
})

test('openssl speaks with an SVID; without one the refusal and its reason are on record', async (t) => {
  if (spawnSync('openssl', ['version']).error) return t.skip('openssl is not there: apt-get install openssl')
  await using app = await startTestApp()
  await using inbound = await startTestInbound(app.address)
  const { chain, privateKey } = inbound.authority.issueSvid('/gateway')
  const folder = mkdtempSync(join(tmpdir(), 'picket-openssl-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const [svid, key] = [join(folder, 'svid.pem'), join(folder, 'key.pem')]
  writeFileSync(svid, encodeCertificatesPem(chain))
  writeFileSync(key, encodePrivateKeyPem(privateKey))
  const speak = async (...identity: string[]): Promise<string> => {
    const child = spawn('openssl', ['s_client', '-quiet', '-connect', formatHostPort(inbound.address), ...identity])
    child.stdin.on('error', () => {})
    child.stdin.write('GET /accounts/42 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')
    let out = ''
    for await (const chunk of child.stdout) out += String(chunk)
    return out
  }
  assert.match(await speak('-cert', svid, '-key', key), /^HTTP\/1\.1 200 OK/)
  assert.equal(await speak(), '')
  const [spoken, refused] = await inbound.records()
  assert.equal(spoken?.['status'], 200)
  assert.deepEqual([refused?.['kind'], refused?.['reason']], ['handshake', 'no-certificate'])
})

test('a port that is in use leaves nothing behind', async () => {
  await using app = await startTestApp()
  await using inbound = await startTestInbound(app.address)
  await assert.rejects(startTestInbound(app.address, { listen: inbound.address }), { code: 'ERR_PORT_IN_USE' })
})
