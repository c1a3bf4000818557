import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { createBundleSource, createRevocationList, parseSpiffeId, type BundleSource } from '@picket/identity'
import type { TestAuthority } from '@picket/identity/testing'
import type { Endpoints } from '@picket/rpc'
import {
  createMetrics,
  createWatch,
  formatHostPort,
  silentLogger,
  systemClock,
  systemRandom,
  type HostPort,
} from '@picket/runtime'
import { createAccessLog } from './access-log.ts'
import { startOutbound, type OutboundOptions } from './outbound.ts'
import { createMemorySink, startTestApp, startTestInbound, type Reply } from './testing-inbound.ts'
import { createTrafficMetrics } from './traffic-metrics.ts'

const ACCOUNTS = parseSpiffeId('spiffe://bank.test/accounts')
const NOBODY: HostPort = { host: '127.0.0.1', port: 1 }

const accountsAt = (...addresses: HostPort[]): Endpoints => ({
  services: [{ name: 'accounts', spiffeId: ACCOUNTS, addresses }],
})

/** The outbound side of a workload of `authority`. */
async function startTestOutbound(
  authority: TestAuthority,
  known: Endpoints,
  options: Partial<OutboundOptions> & { readonly path?: string } = {},
) {
  const { path = '/gateway', ...rest } = options
  const svid = createWatch(authority.issueSvid(path))
  const endpoints = createWatch(known)
  const bundles = createWatch<BundleSource>(authority.bundles)
  const metrics = createMetrics()
  const sink = createMemorySink()
  const deps = { clock: systemClock, random: systemRandom, logger: silentLogger }
  const accessLog = await createAccessLog({ kind: 'stdout' }, { ...deps, metrics }, () => sink)
  const listener = await startOutbound(
    { ...deps, metrics: createTrafficMetrics(metrics), accessLog },
    {
      svid,
      bundles,
      policy: { engine: createWatch(undefined) },
      endpoints,
    },
    { listen: { host: '127.0.0.1', port: 0 }, route: 'by-host', service: () => path.slice(1), ...rest },
  )
  return {
    svid,
    bundles,
    metrics,
    endpoints,
    listener,
    address: listener.address,
    async records() {
      await accessLog[Symbol.asyncDispose]()
      return sink.records
    },
    [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose](),
  }
}

async function callThrough(
  { host, port }: HostPort,
  options: { readonly path?: string; readonly to?: string; readonly agent?: Agent } = {},
): Promise<Reply> {
  const { path = '/accounts/42', to = 'accounts.mesh', agent } = options
  const request = httpRequest({ host, port, path, headers: { host: to }, ...(agent && { agent }) })
  request.end()
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  let body = ''
  for await (const chunk of response) body += String(chunk)
  return { status: response.statusCode ?? 0, headers: response.headers, body }
}

test('a plain call on loopback arrives as a call of this workload, and both ends record it', async () => {
  await using app = await startTestApp()
  await using inbound = await startTestInbound(app.address)
  await using outbound = await startTestOutbound(inbound.authority, accountsAt(inbound.address))
  const reply = await callThrough(outbound.address, { to: 'Accounts.MESH:7480' })
  assert.equal(reply.status, 200)
  assert.equal(reply.body, 'from the app')
  assert.match(String(app.requests[0]?.headers['x-forwarded-client-cert']), /URI=spiffe:\/\/bank\.test\/gateway$/)
  const [callee] = await inbound.records()
  const [caller] = await outbound.records()
  assert.equal(callee?.['caller'], 'spiffe://bank.test/gateway')
  assert.deepEqual(
    [caller?.['direction'], caller?.['service'], caller?.['callee'], caller?.['status']],
    ['outbound', 'gateway', ACCOUNTS.uri, 200],
  )
})

test('curl gets 200 on an allowed route and 403 with a decision ID on a denied one', async (t) => {
  if (spawnSync('curl', ['--version']).error) return t.skip('curl is not there: apt-get install curl')
  await using app = await startTestApp()
  await using inbound = await startTestInbound(app.address)
  await using outbound = await startTestOutbound(inbound.authority, accountsAt(inbound.address))
  const curl = async (path: string): Promise<{ status: string; body: string }> => {
    const url = `http://${formatHostPort(outbound.address)}${path}`
    const child = spawn('curl', ['-s', '-w', '\n%{http_code}', '-H', 'Host: accounts.mesh', url])
    let out = ''
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
    await once(child, 'close')
    const lines = out.split('\n')
    return { status: lines.at(-1) ?? '', body: lines.slice(0, -1).join('\n') }
  }
  assert.deepEqual(await curl('/accounts/42'), { status: '200', body: 'from the app' })
  const denied = await curl('/accounts')
  assert.equal(denied.status, '403')
  const { error, decision_id: id } = JSON.parse(denied.body) as Record<string, string>
  assert.equal(error, 'denied')
  const records = await inbound.records()
  assert.equal(records.at(-1)?.['decision_id'], id)
})

test('who is unknown, and who is nowhere, is said apart', async () => {
  await using app = await startTestApp()
  await using inbound = await startTestInbound(app.address)
  await using outbound = await startTestOutbound(inbound.authority, accountsAt())
  const cases: [string, number, string][] = [
    ['ledger.mesh', 404, 'no_such_service'],
    ['accounts', 404, 'no_such_service'],
    ['accounts.mesh.evil.example', 404, 'no_such_service'],
    ['accounts.mesh', 503, 'no_endpoint'],
  ]
  for (const [to, status, error] of cases) {
    const reply = await callThrough(outbound.address, { to })
    assert.deepEqual([reply.status, reply.headers['x-picket-error']], [status, error], to)
    assert.deepEqual(JSON.parse(reply.body), { error })
  }
  const records = await outbound.records()
  assert.deepEqual(
    records.map(({ reason }) => reason),
    cases.map(([, , reason]) => reason),
  )
})

test('a callee that is somebody else gets nothing of the request', async () => {
  await using app = await startTestApp()
  await using inbound = await startTestInbound(app.address)
  const ledger = { name: 'ledger', spiffeId: parseSpiffeId('spiffe://bank.test/ledger'), addresses: [inbound.address] }
  await using outbound = await startTestOutbound(inbound.authority, { services: [ledger] })
  const reply = await callThrough(outbound.address, { to: 'ledger.mesh' })
  assert.equal(reply.status, 502)
  assert.equal(reply.headers['x-picket-error'], 'upstream_untrusted')
  assert.equal(app.requests.length, 0)
  const [record] = await outbound.records()
  assert.match(String(record?.['cause']), /wrong-id/)
  assert.deepEqual(
    (await inbound.records()).filter(({ kind }) => kind === 'request'),
    [],
  )
})

test('an endpoint that is down costs one call, then the other one is used', async () => {
  await using app = await startTestApp()
  await using inbound = await startTestInbound(app.address)
  await using outbound = await startTestOutbound(inbound.authority, accountsAt(NOBODY, inbound.address))
  const statuses: number[] = []
  for (let sent = 0; sent < 6; sent++) statuses.push((await callThrough(outbound.address)).status)
  assert.deepEqual(statuses, [502, 200, 200, 200, 200, 200])
  const [record] = await outbound.records()
  assert.equal(record?.['flag'], 'upstream_connect_failed')
})

test('endpoints that move are followed', async () => {
  await using app = await startTestApp()
  await using inbound = await startTestInbound(app.address)
  await using outbound = await startTestOutbound(inbound.authority, { services: [] })
  assert.equal((await callThrough(outbound.address)).status, 404)
  outbound.endpoints.set(accountsAt(inbound.address))
  assert.equal((await callThrough(outbound.address)).status, 200)
  outbound.endpoints.set(accountsAt())
  assert.equal((await callThrough(outbound.address)).status, 503)
})

test('a listener of its own leads to one fixed address and identity, whatever the Host', async () => {
  await using app = await startTestApp()
  await using inbound = await startTestInbound(app.address)
  const listen = { host: '127.0.0.1', port: 0 }
  await using outbound = await startTestOutbound(
    inbound.authority,
    { services: [] },
    { route: { kind: 'static', listen, address: inbound.address, spiffeId: ACCOUNTS } },
  )
  assert.equal((await callThrough(outbound.address, { to: 'anything' })).status, 200)
})

test('rotation on both sides costs no request, and new connections show the new SVID', async () => {
  await using app = await startTestApp()
  await using inbound = await startTestInbound(app.address)
  await using outbound = await startTestOutbound(inbound.authority, accountsAt(inbound.address))
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const statuses: number[] = []
  for (let sent = 0; sent < 60; sent++) {
    if (sent % 10 === 5) outbound.svid.set(inbound.authority.issueSvid('/gateway'))
    if (sent % 10 === 8) inbound.svid.set(inbound.authority.issueSvid('/accounts'))
    statuses.push((await callThrough(outbound.address, { agent })).status)
  }
  agent.destroy()
  assert(statuses.every((status) => status === 200))
  const hashes = app.requests.map(({ headers }) => /Hash=(\w+)/.exec(String(headers['x-forwarded-client-cert']))?.[1])
  assert.equal(new Set(hashes).size, 7)
  assert.equal(hashes.at(-1), outbound.svid.value.chain[0]?.fingerprintSha256)
})

test("a callee's SVID that ends takes no request with it", async () => {
  await using app = await startTestApp((_request, response) => void setTimeout(() => response.end('ok'), 20))
  await using inbound = await startTestInbound(app.address)
  const shortLived = (): void => {
    inbound.svid.set(inbound.authority.issueSvid('/accounts', { notAfter: new Date(Date.now() + 2_000) }))
  }
  shortLived()
  await using outbound = await startTestOutbound(inbound.authority, accountsAt(inbound.address))
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const statuses: number[] = []
  const endMs = Date.now() + 4_000
  for (let sent = 0; Date.now() < endMs; sent++) {
    if (sent % 10 === 9) shortLived()
    statuses.push((await callThrough(outbound.address, { agent })).status)
  }
  agent.destroy()
  assert(statuses.length > 20 && statuses.every((status) => status === 200))
  const peers = new Set((await inbound.records()).map(({ peer }) => peer))
  assert(peers.size > 1)
})

test('plaintext is served on loopback only', async () => {
  await using app = await startTestApp()
  await using inbound = await startTestInbound(app.address)
  const everywhere = { listen: { host: '0.0.0.0', port: 0 } }
  await assert.rejects(startTestOutbound(inbound.authority, accountsAt(), everywhere), { code: 'ERR_LISTEN' })
})

test('draining answers what is under way and closes', async () => {
  await using app = await startTestApp((_request, response) => void setTimeout(() => response.end('late'), 100))
  await using inbound = await startTestInbound(app.address)
  await using outbound = await startTestOutbound(inbound.authority, accountsAt(inbound.address))
  const reply = callThrough(outbound.address)
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.equal(await outbound.listener.drain(AbortSignal.timeout(5_000)), 0)
  assert.equal((await reply).body, 'late')
  await assert.rejects(callThrough(outbound.address), { code: 'ECONNREFUSED' })
})

test('a callee on the deny-list is called no more, not on a kept connection either; another is not touched', async () => {
  await using app = await startTestApp()
  await using inbound = await startTestInbound(app.address)
  await using outbound = await startTestOutbound(inbound.authority, accountsAt(inbound.address))
  const callee = (): RegExpExecArray | null =>
    /picket_connections_total\{direction="inbound"\} (\d+)/.exec(inbound.metrics.render())
  assert.equal((await callThrough(outbound.address)).status, 200)
  const { bundle } = inbound.authority
  const deny = (value: string): void =>
    outbound.bundles.set(createBundleSource([bundle], createRevocationList([{ kind: 'spiffe-id', value }])))
  deny('spiffe://bank.test/ledger')
  assert.equal((await callThrough(outbound.address)).status, 200)
  assert.equal(callee()?.[1], '1', 'the connection was kept')
  deny(ACCOUNTS.uri)
  assert.equal((await callThrough(outbound.address)).status, 502)
  outbound.bundles.set(inbound.authority.bundles)
  assert.equal((await callThrough(outbound.address)).status, 200)
  assert.equal(app.requests.length, 3)
})

test('an answer under way from a callee that is put on the deny-list is cut off', async () => {
  await using app = await startTestApp((_request, response) => void response.writeHead(200).write('first'))
  await using inbound = await startTestInbound(app.address)
  await using outbound = await startTestOutbound(inbound.authority, accountsAt(inbound.address))
  const { host, port } = outbound.address
  const request = httpRequest({ host, port, path: '/accounts/42', headers: { host: 'accounts.mesh' } }).end()
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  await once(response, 'data')
  const cut = once(response, 'error').catch((thrown: unknown) => [thrown])
  const list = createRevocationList([{ kind: 'spiffe-id', value: ACCOUNTS.uri }])
  outbound.bundles.set(createBundleSource([inbound.authority.bundle], list))
  assert.equal((((await cut) as unknown[])[0] as { code: string }).code, 'ECONNRESET')
})

test('the key exchange profile is kept to: a callee that knows no hybrid group is not called', async () => {
  await using app = await startTestApp()
  await using inbound = await startTestInbound(app.address, { keyExchange: 'classical' })
  const { authority } = inbound
  await using strict = await startTestOutbound(authority, accountsAt(inbound.address), {
    keyExchange: 'hybrid-required',
  })
  assert.equal((await callThrough(strict.address)).status, 502)
  await using lenient = await startTestOutbound(authority, accountsAt(inbound.address))
  assert.equal((await callThrough(lenient.address)).status, 200)
})
