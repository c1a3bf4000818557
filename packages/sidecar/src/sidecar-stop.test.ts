import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { test } from 'node:test'
import { systemClock, type HostPort } from '@picket/runtime'
import { eventually } from '@picket/agent/testing'
import { call, get, setUp, type Answer } from './testing-sidecar.ts'

test('the stop lets what is in flight finish, takes nothing new, and keeps the way out open until then', async () => {
  await using t = await setUp()
  const sidecar = await t.start()
  await t.pushPolicy()
  await sidecar.ready
  const slow = call(sidecar.addresses, t.caller, '/health?slow')
  await eventually('the request at the app', () => t.app.slow === 1)
  t.stop()
  assert.ok(sidecar.readiness.value.includes('draining'))
  assert.equal((await get(sidecar.addresses.admin, '/ready')).status, 503)
  await assert.rejects(call(sidecar.addresses, t.caller, '/health'), { code: 'ECONNREFUSED' })
  const out = sidecar.addresses.outboundListener
  assert.ok(out && (await get(out, '/')).status > 0)
  t.app.openDoor()
  assert.deepEqual(await slow, { status: 200, body: 'slow', connection: 'close' })
  await sidecar.closed
  await assert.rejects(get(sidecar.addresses.admin, '/live'), { code: 'ECONNREFUSED' })
  assert.match(await readFile(t.mesh.accessLog, 'utf8'), /"path":"\/health".*"status":200/)
})

test('the stop does not wait longer than the drain timeout', async () => {
  await using t = await setUp()
  const sidecar = await t.start({ ...t.mesh, drainTimeout: '200ms' })
  await t.pushPolicy()
  await sidecar.ready
  const slow = assert.rejects(call(sidecar.addresses, t.caller, '/health?slow'))
  await eventually('the request at the app', () => t.app.slow === 1)
  const startedMs = systemClock.monotonicMs()
  await sidecar[Symbol.asyncDispose]()
  assert.ok(systemClock.monotonicMs() - startedMs < 3000)
  await slow
})

test('a port in use names its setting, and the join token is not spent on it', async () => {
  await using t = await setUp()
  for (const setting of ['inbound', 'outboundListener', 'admin'] as const) {
    await assert.rejects(t.start({ ...t.mesh, [setting]: t.app.address }), {
      code: 'ERR_PORT_IN_USE',
      message: new RegExp(`^${setting}: ${t.app.address} `),
    })
  }
  assert.deepEqual(t.plane.calls, [])
})

test('a start that waits for the control plane answers on its admin listener, and can be given up', async () => {
  await using t = await setUp()
  await t.plane.stop()
  const admin = { host: '127.0.0.1', port: await freePort() }
  const starting = t.start({ ...t.mesh, admin: `127.0.0.1:${admin.port}` })
  const given = assert.rejects(starting, { message: 'SIGTERM' })
  const answer = await eventuallyAnswers(admin, '/ready')
  assert.deepEqual([answer.status, JSON.parse(answer.body).reasons], [503, ['no_svid']])
  assert.equal((await get(admin, '/live')).status, 200)
  t.stop()
  await given
  await assert.rejects(get(admin, '/live'), { code: 'ECONNREFUSED' })
})

test('a sidecar that stops before it is ready says so to who waits', async () => {
  await using t = await setUp()
  const sidecar = await t.start()
  const waiting = assert.rejects(sidecar.ready)
  t.stop()
  await sidecar.closed
  await waiting
})

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function eventuallyAnswers(address: HostPort, path: string): Promise<Answer> {
  for (;;) {
    try {
      return await get(address, path)
    } catch {
      await systemClock.sleep(10)
    }
  }
}
