import assert from 'node:assert/strict'
import { request } from 'node:http'
import { connect } from 'node:net'
import { test } from 'node:test'
import { createTestAuthority } from '@picket/identity/testing'
import {
  createMetrics,
  createWatch,
  resolveSettings,
  silentLogger,
  startAdmin,
  type AdminRoutes,
} from '@picket/runtime'
import { createAdminRoutes } from './admin.ts'
import type { ReadinessReason } from './readiness.ts'
import { sidecarSettings } from './settings.ts'

interface Answer {
  readonly status: number
  readonly body: string
}

async function serve(routes: AdminRoutes) {
  const admin = await startAdmin({ logger: silentLogger }, { address: { host: '127.0.0.1', port: 0 }, routes })
  const ask = (path: string, options: { method?: string; host?: string } = {}): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const headers = { host: options.host ?? '127.0.0.1' }
      const asked = request({ ...admin.address, path, method: options.method ?? 'GET', headers, agent: false })
      asked.on('error', reject)
      asked.on('response', (response) => {
        let body = ''
        response.setEncoding('utf8').on('data', (text: string) => (body += text))
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
      })
      asked.end()
    })
  return { admin, ask, [Symbol.asyncDispose]: () => admin[Symbol.asyncDispose]() }
}

const authority = createTestAuthority('bank.test')
const svid = authority.issueSvid('/payments')

function routesWith(reasons: readonly ReadinessReason[]) {
  const place = '--x'
  const given = { controlPlane: '127.0.0.1:7400', trustBundle: 'b.pem', joinToken: 'very-secret', drainTimeout: '5s' }
  const settings = resolveSettings(sidecarSettings, [
    Object.entries(given).map(([key, text]) => ({ key, text, place })),
  ])
  const metrics = createMetrics()
  metrics.counter('picket_test_total', 'A counter').add(3)
  const readiness = createWatch(reasons)
  return {
    readiness,
    routes: createAdminRoutes({
      settings,
      metrics,
      readiness,
      refresh: () => Promise.resolve(),
      identity: createWatch({ svid: createWatch(svid), bundles: createWatch(authority.bundles) }),
    }),
  }
}

test('lives, and is ready only without reasons against it', async () => {
  const { routes, readiness } = routesWith(['no_policy', 'app_unreachable'])
  await using t = await serve(routes)
  assert.equal((await t.ask('/live')).status, 200)
  const refused = await t.ask('/ready')
  assert.equal(refused.status, 503)
  assert.deepEqual(JSON.parse(refused.body), { ready: false, reasons: ['no_policy', 'app_unreachable'] })
  readiness.set([])
  const ready = await t.ask('/ready?verbose')
  assert.deepEqual([ready.status, JSON.parse(ready.body)], [200, { ready: true, reasons: [] }])
})

test('shows metrics, certificates and the configuration without its secrets', async () => {
  await using t = await serve(routesWith([]).routes)
  assert.match((await t.ask('/metrics')).body, /^picket_test_total 3$/m)
  const certs = JSON.parse((await t.ask('/certs')).body)
  assert.equal(certs.svid.spiffeId, 'spiffe://bank.test/payments')
  assert.equal(certs.svid.chain[0].serialNumber, svid.chain[0]?.serialNumber)
  assert.equal(certs.trustBundle.sequence, '1')
  const config = await t.ask('/config')
  assert.equal(JSON.parse(config.body).controlPlane, '127.0.0.1:7400')
  assert.ok(!config.body.includes('very-secret'))
})

const REFUSED: readonly [string, string, { method?: string; host?: string }, number][] = [
  ['a path that there is not', '/', {}, 404],
  ['a name of the prototype', '/constructor', {}, 404],
  ['a method that changes things', '/live', { method: 'POST' }, 405],
  ['a host name that was rebound', '/config', { host: 'evil.example:7490' }, 421],
  ['a host that only begins well', '/config', { host: '127.0.0.1.evil.example' }, 421],
]

for (const [what, path, options, status] of REFUSED) {
  test(`refuses ${what}`, async () => {
    await using t = await serve(routesWith([]).routes)
    assert.equal((await t.ask(path, options)).status, status)
  })
}

for (const host of ['localhost:7490', '[::1]:7490', '127.0.0.9']) {
  test(`answers to ${host}`, async () => {
    await using t = await serve(routesWith([]).routes)
    assert.equal((await t.ask('/live', { host })).status, 200)
  })
}

test('a route that throws is answered with 500 and does not end the listener', async () => {
  await using t = await serve({
    '/bad': () => Promise.reject(new Error('no')),
    '/good': () => routesWith([]).routes['/live']!(),
  })
  assert.equal((await t.ask('/bad')).status, 500)
  assert.equal((await t.ask('/good')).status, 200)
})

test('bytes that are not HTTP get a 400 and end', async () => {
  await using t = await serve(routesWith([]).routes)
  const socket = connect(t.admin.address)
  socket.end('\x16\x03\x01 hello\r\n\r\n')
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  assert.match(Buffer.concat(chunks).toString(), /^HTTP\/1\.1 400 /)
})
