import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, request as plainRequest, type IncomingMessage } from 'node:http'
import { request as tlsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { encodeCertificatesPem, encodePrivateKeyPem, encodeTrustBundlePem, type X509Svid } from '@picket/identity'
import { RpcError, type Report } from '@picket/rpc'
import { resolveSettings, silentLogger, systemClock, systemRandom, type HostPort } from '@picket/runtime'
import { sidecarSettings, type SidecarSettings } from './settings.ts'
import { startSidecar, type Sidecar } from './sidecar.ts'
import { eventually, startTestControlPlane } from './testing-control-plane.ts'

const POLICY = new URL('../../../policies/authz.bundle.tar.gz', import.meta.url)

interface Answer {
  readonly status: number
  readonly body: string
  readonly connection: string | undefined
}

/** The app behind the sidecar: answers at once, or with `/slow` when the test opens the door. */
async function startApp() {
  const door = Promise.withResolvers<void>()
  let slow = 0
  const server = createServer((incoming, response) => {
    if (incoming.url !== '/health?slow') return void response.end(`app ${incoming.headers['x-forwarded-client-cert']}`)
    slow += 1
    void door.promise.then(() => response.end('slow'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    openDoor: door.resolve,
    get slow() {
      return slow
    },
    [Symbol.asyncDispose]: async () => {
      door.resolve()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function setUp() {
  const stack = new AsyncDisposableStack()
  const plane = stack.use(await startTestControlPlane())
  const app = stack.use(await startApp())
  const dir = await mkdtemp(join(tmpdir(), 'picket-sidecar-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  const file = async (name: string, content: string | Buffer): Promise<string> => {
    await writeFile(join(dir, name), content)
    return join(dir, name)
  }
  const listeners = {
    inbound: '127.0.0.1:0',
    app: app.address,
    admin: '127.0.0.1:0',
    accessLog: join(dir, 'access.log'),
  }
  const mesh = {
    ...listeners,
    controlPlane: `127.0.0.1:${plane.address.port}`,
    trustDomain: 'bank.test',
    trustBundle: await file('bundle.pem', encodeTrustBundlePem(plane.authority.bundle)),
    joinToken: 'token-1',
    stateDir: join(dir, 'state'),
    outboundListener: '127.0.0.1:0',
  }
  const caller = plane.authority.issueSvid('/gateway')
  const signals: AbortController[] = []
  async function start(given: Readonly<Record<string, string>> = mesh): Promise<Sidecar> {
    const stop = new AbortController()
    signals.push(stop)
    const deps = { clock: systemClock, random: systemRandom, logger: silentLogger }
    return stack.use(await startSidecar(deps, settingsOf(given), stop.signal))
  }
  const pushPolicy = async (): Promise<void> => {
    const stream = await eventually('a stream', () => plane.streams.findLast(({ ended }) => !ended))
    stream.push('policy-bundle', 'p1', await readFile(POLICY))
  }
  return {
    ...{ plane, app, dir, file, listeners, mesh, caller, start, pushPolicy },
    stop: () => signals.at(-1)?.abort(new Error('SIGTERM')),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

function settingsOf(given: Readonly<Record<string, string>>): SidecarSettings {
  return resolveSettings(sidecarSettings, [
    Object.entries(given).map(([key, text]) => ({ key, text, place: `--${key}` })),
  ])
}

/** A call of one workload to a sidecar, on a connection of its own. */
function call({ inbound }: Sidecar['addresses'], caller: X509Svid, path: string): Promise<Answer> {
  const cert = encodeCertificatesPem(caller.chain)
  const key = encodePrivateKeyPem(caller.privateKey)
  const options = { ...inbound, path, cert, key, agent: false, rejectUnauthorized: false }
  return answerOf((on) => tlsRequest(options, on))
}

function get({ host, port }: HostPort, path: string): Promise<Answer> {
  return answerOf((on) => plainRequest({ host, port, path, agent: false }, on))
}

function answerOf(ask: (on: (response: IncomingMessage) => void) => ReturnType<typeof plainRequest>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = ask((response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => (body += text))
      response.on('error', reject)
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body, connection: response.headers.connection }),
      )
    })
    asked.on('error', reject)
    asked.end()
  })
}

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
