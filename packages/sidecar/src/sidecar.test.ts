import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { encodeCertificatesPem, encodePrivateKeyPem } from '@picket/identity'
import { RpcError, type Report } from '@picket/rpc'
import { eventually } from '@picket/agent/testing'
import { call, get, POLICY, setUp } from './testing-sidecar.ts'

test('attests, waits for a policy, then serves, and says so all along', async () => {
  await using t = await setUp()
  const sidecar = await t.start()
  assert.equal(sidecar.id.uri, 'spiffe://bank.test/payments')
  const before = await get(sidecar.addresses.admin, '/ready')
  assert.deepEqual([before.status, JSON.parse(before.body).reasons], [503, ['no_policy']])
  assert.equal((await call(sidecar.addresses, t.caller, '/health')).status, 503)
  await t.pushPolicy()
  await sidecar.ready
  const ready = await get(sidecar.addresses.admin, '/ready')
  assert.equal(ready.status, 200)
  const allowed = await call(sidecar.addresses, t.caller, '/health')
  assert.equal(allowed.status, 200)
  assert.match(allowed.body, /URI=spiffe:\/\/bank\.test\/gateway/)
  assert.equal((await call(sidecar.addresses, t.caller, '/entries')).status, 403)
  const { port = 0 } = sidecar.addresses.outboundListener ?? {}
  assert.notEqual(port, 0)
  const metrics = (await get(sidecar.addresses.admin, '/metrics')).body
  assert.match(metrics, /^picket_sync_connected 1$/m)
  assert.match(metrics, /^picket_ready 1$/m)
  assert.match(metrics, /^picket_svid_not_after_seconds \d{10}$/m)
})

test('reports what it decided', async () => {
  await using t = await setUp()
  const sidecar = await t.start()
  await t.pushPolicy()
  await sidecar.ready
  await call(sidecar.addresses, t.caller, '/health')
  await call(sidecar.addresses, t.caller, '/entries')
  t.plane.streams.at(-1)?.rotate()
  const report = await eventually('a report of both', () =>
    t.plane.streams
      .flatMap(({ messages }) => messages)
      .find((message): message is Report => message.kind === 'report' && message.requestsDenied === 1),
  )
  assert.deepEqual([report.requestsAllowed, report.ready], [1, true])
})

test('a restart while the control plane is away serves from the last good state', async () => {
  await using t = await setUp()
  {
    await using sidecar = await t.start()
    await t.pushPolicy()
    await sidecar.ready
  }
  await t.plane.stop()
  const { joinToken: _spent, ...again } = t.mesh
  const sidecar = await t.start(again)
  await sidecar.ready
  assert.equal((await call(sidecar.addresses, t.caller, '/health')).status, 200)
})

test('rotates under load without one failed request', async () => {
  await using t = await setUp()
  const sidecar = await t.start()
  await t.pushPolicy()
  await sidecar.ready
  let going = true
  const statuses: number[] = []
  const load = Array.from({ length: 4 }, async () => {
    while (going) statuses.push((await call(sidecar.addresses, t.caller, '/health')).status)
  })
  for (let rotation = 1; rotation <= 3; rotation++) {
    const stream = await eventually('the next stream', () => t.plane.streams[rotation - 1])
    stream.rotate()
    await eventually('the rotation', () => t.plane.calls.filter((made) => made === 'issue').length === rotation)
  }
  going = false
  await Promise.all(load)
  assert.ok(statuses.length > 10)
  assert.deepEqual(new Set(statuses), new Set([200]))
})

test('with an expired svid it is not ready and takes no connection, until it is renewed', async () => {
  await using t = await setUp()
  const sidecar = await t.start()
  await t.pushPolicy()
  await sidecar.ready
  t.plane.behaviour.ttlMs = 1500
  t.plane.streams[0]?.rotate()
  await eventually('the short-lived svid', () => t.plane.streams[1])
  t.plane.behaviour.failure = new RpcError('ERR_RPC_UNAVAILABLE', 'later')
  await eventually('expiry', () => sidecar.readiness.value.includes('svid_expired'))
  await assert.rejects(call(sidecar.addresses, t.caller, '/health'), { code: 'ECONNREFUSED' })
  t.plane.behaviour.ttlMs = 3_600_000
  t.plane.behaviour.failure = undefined
  await eventually('recovery', () => sidecar.readiness.value.length === 0)
  assert.equal((await call(sidecar.addresses, t.caller, '/health')).status, 200)
})

test('from files: serves without a control plane', async () => {
  await using t = await setUp()
  const own = t.plane.authority.issueSvid('/payments')
  const sidecar = await t.start({
    ...t.listeners,
    svid: await t.file('svid.pem', encodeCertificatesPem(own.chain)),
    key: await t.file('key.pem', encodePrivateKeyPem(own.privateKey)),
    trustBundle: t.mesh.trustBundle,
    policy: await t.file('policy.tar.gz', await readFile(POLICY)),
    outbound: '127.0.0.1:0=127.0.0.1:1,spiffe://bank.test/ledger',
  })
  await sidecar.ready
  assert.equal((await call(sidecar.addresses, t.caller, '/health')).status, 200)
  assert.equal(sidecar.addresses.outboundListener, undefined)
  assert.equal(sidecar.addresses.outbound.length, 1)
  assert.deepEqual(t.plane.calls, [])
})

test('from files: an svid of another trust domain than the one named is not served', async () => {
  await using t = await setUp()
  const own = t.plane.authority.issueSvid('/payments')
  const starting = t.start({
    ...t.listeners,
    trustDomain: 'shop.test',
    svid: await t.file('svid.pem', encodeCertificatesPem(own.chain)),
    key: await t.file('key.pem', encodePrivateKeyPem(own.privateKey)),
    trustBundle: t.mesh.trustBundle,
    policy: await t.file('policy.tar.gz', await readFile(POLICY)),
  })
  await assert.rejects(starting, { code: 'ERR_INPUT_FILE' })
})
