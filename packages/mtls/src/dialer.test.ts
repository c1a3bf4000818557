import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { createBundleSource, parseSpiffeId, type BundleSource } from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { createWatch, systemClock } from '@picket/runtime'
import { createDialer } from './dialer.ts'
import { createTestDialer, dial, serverId } from './testing-dialer.ts'
import { startTestListener } from './testing.ts'

const hour = 3_600_000
test('reaches the workload that it was told to reach', async () => {
  await using server = await startTestListener()
  using side = createTestDialer(server.authority).dialer
  const { socket, refusal } = await dial(side, server)
  assert.equal(refusal, undefined)
  assert.equal(side.peerOf(socket)?.id.uri, serverId.uri)
  assert.equal(socket.alpnProtocol, 'http/1.1')
  assert.equal(server.peers[0]?.id.uri, 'spiffe://bank.test/payments')
})

test('refuses a callee that is somebody else, from elsewhere, expired or unknown', async () => {
  await using server = await startTestListener()
  const { authority } = server
  const stranger = createTestAuthority('stranger.test')
  const { dialer } = createTestDialer(authority)
  const codeOf = async (expected = serverId): Promise<string | undefined> =>
    (await dial(dialer, server, { expected })).refusal?.code
  assert.equal(await codeOf(parseSpiffeId('spiffe://bank.test/ledger')), 'wrong-id')
  server.svid.set(stranger.issueSvid('/server'))
  assert.equal(await codeOf(), 'no-bundle')
  server.svid.set(stranger.issueSvid('/server', { uris: [serverId.uri] }))
  assert.equal(await codeOf(), 'unknown-authority')
  server.svid.set(authority.issueSvid('/server', { notAfter: new Date(Date.now() - 1000) }))
  assert.equal(await codeOf(), 'expired')
})

test('a refused peer leaves no session behind', async () => {
  await using server = await startTestListener()
  const { dialer } = createTestDialer(server.authority)
  const wrong = parseSpiffeId('spiffe://bank.test/ledger')
  const first = dialer.connect(server.address, wrong)
  await once(first, 'secureConnect')
  assert.equal(dialer.prepare(first)?.code, 'wrong-id')
  await once(first, 'session')
  const second = await dial(dialer, server, { expected: wrong })
  assert.equal(second.resumed, false)
  assert.equal(second.refusal?.code, 'wrong-id')
})

test('resumes, with the chain of the full handshake verified anew', async () => {
  await using server = await startTestListener()
  server.svid.set(server.authority.issueAuthority().issueSvid('/server'))
  const { dialer } = createTestDialer(server.authority)
  await dial(dialer, server)
  const again = await dial(dialer, server)
  assert.equal(again.resumed, true)
  assert.equal(again.refusal, undefined)
  const peer = dialer.peerOf(again.socket)
  assert.equal(peer?.resumed, true)
  assert.equal(peer.chain.length, 2)
})

test('a session for one ID is not offered when another is expected', async () => {
  await using server = await startTestListener()
  const { dialer } = createTestDialer(server.authority)
  await dial(dialer, server)
  const other = await dial(dialer, server, { expected: parseSpiffeId('spiffe://bank.test/ledger') })
  assert.equal(other.resumed, false)
  assert.equal(other.refusal?.code, 'wrong-id')
})

test('a session is refused once the SVID behind it has expired', async () => {
  await using server = await startTestListener()
  const { dialer, shift } = createTestDialer(server.authority)
  await dial(dialer, server)
  shift.ms = 2 * hour
  const late = await dial(dialer, server)
  assert.equal(late.resumed, true)
  assert.equal(late.refusal?.code, 'expired')
})

test('a session is refused once its authority has left the bundle', async () => {
  await using server = await startTestListener()
  let trusted: BundleSource = server.authority.bundles
  const svid = createWatch(server.authority.issueSvid('/payments'))
  const bundles = createWatch<BundleSource>({ bundleFor: (domain) => trusted.bundleFor(domain) })
  using dialer = createDialer({ svid, bundles, clock: systemClock })
  await dial(dialer, server)
  trusted = createBundleSource([createTestAuthority('bank.test').bundle])
  const late = await dial(dialer, server)
  assert.equal(late.resumed, true)
  assert.equal(late.refusal?.code, 'unknown-authority')
})

test('a new SVID is shown at once: no session of the old one is used', async () => {
  await using server = await startTestListener()
  const { dialer, svid } = createTestDialer(server.authority)
  await dial(dialer, server)
  svid.set(server.authority.issueSvid('/payments'))
  const again = await dial(dialer, server)
  assert.equal(again.resumed, false)
  assert.equal(server.peers.at(-1)?.leaf.serialNumber, svid.value.chain[0]?.serialNumber)
})

test('tickets of a connection from before a rotation are not kept', async () => {
  await using server = await startTestListener()
  const { dialer, svid } = createTestDialer(server.authority)
  const old = dialer.connect(server.address, serverId)
  await once(old, 'secureConnect')
  svid.set(server.authority.issueSvid('/payments'))
  assert.equal(dialer.prepare(old), undefined)
  await once(old, 'session')
  const next = await dial(dialer, server)
  assert.equal(next.resumed, false)
})

test('a socket of somebody else is not prepared', async () => {
  await using server = await startTestListener()
  const { dialer } = createTestDialer(server.authority)
  using other = createTestDialer(server.authority).dialer
  const { socket } = await dial(other, server)
  assert.equal(dialer.prepare(socket)?.code, 'tls-error')
  assert.equal(dialer.peerOf(socket), undefined)
})
