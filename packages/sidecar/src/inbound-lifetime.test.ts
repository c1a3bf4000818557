import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { createBundleSource } from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { eventually } from '@picket/mtls/testing'
import { call, createTestAgent, startTestApp, startTestInbound } from './testing-inbound.ts'

/** An app whose answers are given by the test. */
async function startSlowApp() {
  const waiting: ServerResponse[] = []
  const app = await startTestApp((_request, response) => void waiting.push(response))
  return { app, waiting, [Symbol.asyncDispose]: () => app[Symbol.asyncDispose]() }
}

test('SVIDs rotate under load without a failed request', async () => {
  await using app = await startTestApp()
  await using inbound = await startTestInbound(app.address)
  const agents = ['/gateway', '/gateway'].map((path) => createTestAgent(inbound.authority.issueSvid(path)))
  const statuses: number[] = []
  const load = agents.map(async (agent) => {
    for (let sent = 0; sent < 100; sent++) statuses.push((await call(inbound.address, agent)).status)
  })
  for (let round = 0; round < 10; round++) {
    inbound.svid.set(inbound.authority.issueSvid('/accounts'))
    const fresh = createTestAgent(inbound.authority.issueSvid('/gateway'))
    statuses.push((await call(inbound.address, fresh)).status)
    fresh.destroy()
  }
  await Promise.all(load)
  for (const agent of agents) agent.destroy()
  assert.equal(statuses.length, 210)
  assert(statuses.every((status) => status === 200))
})

test('a connection ends with the SVID that its peer showed', async () => {
  await using app = await startTestApp()
  await using inbound = await startTestInbound(app.address)
  const svid = inbound.authority.issueSvid('/gateway', { notAfter: new Date(Date.now() + 2_000) })
  const agent = createTestAgent(svid)
  assert.equal((await call(inbound.address, agent)).status, 200)
  assert.match(inbound.metrics.render(), /picket_connections\{direction="inbound"\} 1/)
  await eventually(() => /picket_connections\{direction="inbound"\} 0/.test(inbound.metrics.render()))
  assert(Date.now() < svid.notAfter.getTime() + 100)
  await eventually(() => Date.now() > svid.notAfter.getTime())
  await assert.rejects(call(inbound.address, agent))
  const reasons = (await inbound.records()).map(({ reason }) => reason)
  assert.deepEqual(reasons, ['allowed', 'expired'])
})

test('a connection whose peer is no longer trusted finishes its exchange and takes no other', async () => {
  await using slow = await startSlowApp()
  await using inbound = await startTestInbound(slow.app.address)
  const [busy, idle] = [0, 1].map(() => createTestAgent(inbound.authority.issueSvid('/gateway')))
  const answered = call(inbound.address, busy!)
  const warm = call(inbound.address, idle!)
  await eventually(() => slow.waiting.length === 2)
  slow.waiting[1]!.end()
  await warm
  inbound.bundles.set(createBundleSource([createTestAuthority('bank.test').bundle]))
  slow.waiting[0]!.end('late')
  const reply = await answered
  assert.equal(reply.body, 'late')
  assert.equal(reply.headers.connection, 'close')
  await assert.rejects(call(inbound.address, busy!))
  await assert.rejects(call(inbound.address, idle!))
  const reasons = (await inbound.records()).map(({ reason }) => String(reason)).toSorted((a, b) => a.localeCompare(b))
  assert.deepEqual(reasons, ['allowed', 'allowed', 'unknown-authority', 'unknown-authority'])
  assert.equal(inbound.logger.entries.at(-1)?.level, 'info')
})

test('connections stay when a bundle changes that still vouches for them', async () => {
  await using app = await startTestApp()
  await using inbound = await startTestInbound(app.address)
  const agent = createTestAgent(inbound.authority.issueSvid('/gateway'))
  await call(inbound.address, agent)
  const { bundle } = inbound.authority
  const added = {
    ...bundle,
    x509Authorities: [...bundle.x509Authorities, createTestAuthority('bank.test').certificate],
  }
  inbound.bundles.set(createBundleSource([added]))
  assert.equal((await call(inbound.address, agent)).status, 200)
  agent.destroy()
  const peers = new Set((await inbound.records()).map(({ peer }) => peer))
  assert.equal(peers.size, 1)
})

test('draining lets the exchange in flight finish, closes idle connections and accepts no others', async () => {
  await using slow = await startSlowApp()
  await using inbound = await startTestInbound(slow.app.address)
  const svid = inbound.authority.issueSvid('/gateway')
  const [busy, idle] = [createTestAgent(svid), createTestAgent(svid)]
  const answered = call(inbound.address, busy)
  const warm = call(inbound.address, idle)
  await eventually(() => slow.waiting.length === 2)
  slow.waiting[1]!.end()
  await warm
  const drained = inbound.listener.drain(AbortSignal.timeout(5_000))
  await assert.rejects(call(inbound.address, createTestAgent(svid)), { code: 'ECONNREFUSED' })
  slow.waiting[0]!.end('finished')
  const reply = await answered
  assert.equal(reply.body, 'finished')
  assert.equal(reply.headers.connection, 'close')
  assert.equal(await drained, 0)
})

test('draining ends at its deadline and counts what was cut off', async () => {
  await using slow = await startSlowApp()
  await using inbound = await startTestInbound(slow.app.address)
  const agent = createTestAgent(inbound.authority.issueSvid('/gateway'))
  const cut = assert.rejects(call(inbound.address, agent))
  await eventually(() => slow.waiting.length === 1)
  assert.equal(await inbound.listener.drain(AbortSignal.timeout(50)), 1)
  await cut
  const [record] = await inbound.records()
  assert.equal(record?.['flag'], 'drained')
})

test('a caller that leaves is recorded, and its request taken from the app', async () => {
  await using slow = await startSlowApp()
  await using inbound = await startTestInbound(slow.app.address)
  const agent = createTestAgent(inbound.authority.issueSvid('/gateway'))
  const left = assert.rejects(call(inbound.address, agent))
  await eventually(() => slow.waiting.length === 1)
  const closed = once(slow.waiting[0]!, 'close')
  agent.destroy()
  await left
  await closed
  const [record] = await inbound.records()
  assert.equal(record?.['flag'], 'client_disconnected')
  assert.equal(record['status'], 0)
})
