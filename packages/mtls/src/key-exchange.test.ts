import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { formatHostPort, type HostPort } from '@picket/runtime'
import { isHybridGroup, parseKeyExchangeProfile, type KeyExchangeProfile } from './key-exchange.ts'
import { createTestDialer, dial, serverId } from './testing-dialer.ts'
import { eventually, greet, GREETING, startTestListener } from './testing.ts'

test('a profile is known by its name, and other names are refused', () => {
  assert.equal(parseKeyExchangeProfile('hybrid-required'), 'hybrid-required')
  for (const text of ['', 'pq', 'HYBRID-REQUIRED', 'toString']) {
    assert.throws(() => parseKeyExchangeProfile(text), { code: 'ERR_KEY_EXCHANGE', message: /hybrid-preferred/ })
  }
})

/** Listener, dialer, and the group that they agree on. */
const AGREED: readonly (readonly [KeyExchangeProfile, KeyExchangeProfile, string])[] = [
  ['hybrid-preferred', 'hybrid-preferred', 'X25519MLKEM768'],
  ['hybrid-preferred', 'hybrid-required', 'X25519MLKEM768'],
  ['hybrid-preferred', 'classical', 'X25519'],
  ['hybrid-required', 'hybrid-preferred', 'X25519MLKEM768'],
  ['hybrid-required', 'hybrid-required', 'X25519MLKEM768'],
  ['classical', 'hybrid-preferred', 'X25519'],
  ['classical', 'classical', 'X25519'],
]
for (const [listener, dialer, group] of AGREED) {
  test(`${listener} and ${dialer} agree on ${group}, on resumed connections too`, async () => {
    await using server = await startTestListener({ keyExchange: listener })
    using side = createTestDialer(server.authority, { keyExchange: dialer }).dialer
    const first = await dial(side, server)
    assert.equal(first.refusal, undefined)
    assert.equal(side.groupOf(first.socket), group)
    const again = await dial(side, server)
    assert.equal(again.resumed, true)
    assert.equal(side.groupOf(again.socket), group)
    assert.equal(isHybridGroup(group), group.includes('MLKEM'))
  })
}

test('hybrid-preferred is the default at both ends', async () => {
  await using server = await startTestListener()
  using side = createTestDialer(server.authority).dialer
  assert.equal(side.groupOf((await dial(side, server)).socket), 'X25519MLKEM768')
})

test('a client that would rather have a curve gets a hybrid group from who prefers them', async () => {
  await using server = await startTestListener()
  for (const ecdhCurve of ['X25519:X25519MLKEM768', 'P-256:SecP256r1MLKEM768', 'P-384:X25519:SecP384r1MLKEM1024']) {
    const { socket } = await greet(server.address, server.authority.issueSvid('/payments'), { ecdhCurve })
    const { name } = socket.getEphemeralKeyInfo() as { name: string }
    assert.ok(isHybridGroup(name), `${ecdhCurve} → ${name}`)
  }
})

for (const [listener, dialer] of [
  ['hybrid-required', 'classical'],
  ['classical', 'hybrid-required'],
] as const) {
  test(`${listener} refuses a peer that is ${dialer}, by a code of its own`, async () => {
    await using server = await startTestListener({ keyExchange: listener })
    using side = createTestDialer(server.authority, { keyExchange: dialer }).dialer
    const socket = side.connect(server.address, serverId)
    const [error] = (await once(socket, 'error')) as [{ code: string }]
    assert.match(error.code, /HANDSHAKE_FAILURE/)
    await eventually(() => server.refusals.length === 1)
    assert.equal(server.refusals[0]?.code, 'key-exchange')
    assert.equal(server.peers.length, 0)
    assert.equal(side.groupOf(socket), undefined)
  })
}

test('a listener keeps its profile when its SVID and its bundles change', async () => {
  await using server = await startTestListener({ keyExchange: 'hybrid-required' })
  server.svid.set(server.authority.issueSvid('/server'))
  server.bundles.set({ bundleFor: (domain) => server.authority.bundles.bundleFor(domain) })
  const classical = await greet(server.address, server.authority.issueSvid('/payments'), { ecdhCurve: 'X25519' })
  assert.equal(classical.received, '')
  assert.equal(server.refusals[0]?.code, 'key-exchange')
})

test('a dialer keeps its profile when its SVID changes', async () => {
  await using server = await startTestListener({ keyExchange: 'classical' })
  const { dialer, svid } = createTestDialer(server.authority, { keyExchange: 'hybrid-required' })
  svid.set(server.authority.issueSvid('/payments'))
  await once(dialer.connect(server.address, serverId), 'error')
  assert.equal(server.peers.length, 0)
})

test('a socket that is not of TLS, or closed, has no group', async () => {
  await using server = await startTestListener()
  using side = createTestDialer(server.authority).dialer
  const { socket } = await dial(side, server)
  socket.destroy()
  assert.equal(side.groupOf(socket), undefined)
})

/** What `openssl s_client` received: it knows curves only, up to OpenSSL 3.4. */
async function openssl(address: HostPort, ...args: string[]): Promise<string> {
  const child = spawn('openssl', ['s_client', '-connect', formatHostPort(address), '-quiet', ...args], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  let out = ''
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString()
    if (out.includes(GREETING)) child.kill()
  })
  await once(child, 'close')
  return out
}

test('openssl s_client -groups X25519 is refused by hybrid-required and served by hybrid-preferred', async (t) => {
  if (spawnSync('openssl', ['version']).error) return t.skip('openssl is not there: apt-get install openssl')
  await using strict = await startTestListener({ keyExchange: 'hybrid-required', clientCertificate: 'optional' })
  assert.equal(await openssl(strict.address, '-groups', 'X25519'), '')
  await eventually(() => strict.refusals.length === 1)
  assert.equal(strict.refusals[0]?.code, 'key-exchange')
  await using open = await startTestListener({ clientCertificate: 'optional' })
  assert.equal(await openssl(open.address, '-groups', 'X25519'), GREETING)
  assert.deepEqual(open.refusals, [])
})
