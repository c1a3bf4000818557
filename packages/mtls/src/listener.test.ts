import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createBundleSource, encodeCertificatesPem, encodePrivateKeyPem, type X509Svid } from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { createRecordingLogger, FakeClock } from '@picket/runtime/testing'
import { createWatch, formatHostPort, systemClock, type Clock } from '@picket/runtime'
import { createMtlsListener } from './listener.ts'
import { eventually, greet, GREETING, sendPlain, startTestListener } from './testing.ts'

const hour = 3_600_000
const stranger = createTestAuthority('stranger.test')

/** Real time, moved. */
function shiftedClock(): Clock & { shiftMs: number } {
  const clock = { ...systemClock, shiftMs: 0, now: () => Date.now() + clock.shiftMs }
  return clock
}

test('lets a verified peer in and says who it is', async () => {
  await using server = await startTestListener()
  const client = await greet(server.address, server.authority.issueSvid('/payments'), { ALPNProtocols: ['http/1.1'] })
  assert.equal(client.received, GREETING)
  assert.equal(client.socket.alpnProtocol, 'http/1.1')
  assert.equal(client.socket.getProtocol(), 'TLSv1.3')
  assert.equal(server.peers[0]?.id.uri, 'spiffe://bank.test/payments')
  assert.equal(server.refusals.length, 0)
})

test('takes and completes chains with intermediates', async () => {
  await using server = await startTestListener()
  const below = server.authority.issueAuthority().issueAuthority()
  server.svid.set(below.issueSvid('/server'))
  const first = await greet(server.address, below.issueSvid('/payments'))
  assert.equal(server.peers[0]?.chain.length, 3)
  assert.equal(first.received, GREETING)
})

test('refuses each wrong peer once, with its code and address, before it gets a byte', async () => {
  await using server = await startTestListener()
  const { authority } = server
  const cases: [string, X509Svid | undefined][] = [
    ['no-certificate', undefined],
    ['no-bundle', stranger.issueSvid('/payments')],
    ['unknown-authority', stranger.issueSvid('/payments', { uris: ['spiffe://bank.test/payments'] })],
    ['expired', authority.issueSvid('/payments', { notAfter: new Date(Date.now() - 1000) })],
    ['not-yet-valid', authority.issueSvid('/payments', { notBefore: new Date(Date.now() + 120_000) })],
    ['not-a-leaf', authority.issueSvid('/payments', { isCa: true })],
  ]
  for (const [code, svid] of cases) {
    const client = await greet(server.address, svid)
    assert.equal(client.received, '', code)
    assert.equal(server.refusals.at(-1)?.code, code)
    assert.equal(server.remotes.at(-1)?.host, '127.0.0.1')
  }
  assert.equal(server.refusals.length, cases.length)
  assert.equal(server.peers.length, 0)
})

test('tolerates a certificate that becomes valid within a minute', async () => {
  await using server = await startTestListener()
  const soon = server.authority.issueSvid('/payments', { notBefore: new Date(Date.now() + 30_000) })
  assert.equal((await greet(server.address, soon)).received, GREETING)
})

test('an optional certificate may be absent but not wrong', async () => {
  await using server = await startTestListener({ clientCertificate: 'optional' })
  assert.equal((await greet(server.address, undefined)).received, GREETING)
  assert.deepEqual(server.peers, [undefined])
  assert.equal((await greet(server.address, stranger.issueSvid('/x'))).received, '')
  assert.equal(server.refusals[0]?.code, 'no-bundle')
})

test('names what is not a TLS 1.3 handshake for us', async () => {
  await using server = await startTestListener({ handshakeTimeoutMs: 100 })
  const svid = server.authority.issueSvid('/payments')
  const silent = connect(server.address.port, server.address.host)
  silent.on('error', () => {})
  silent.write(Buffer.from('160301', 'hex'))
  await once(silent, 'close')
  await sendPlain(server.address, 'GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  await sendPlain(server.address, 'SSH-2.0-OpenSSH_9.2\r\n')
  await greet(server.address, svid, { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' })
  await greet(server.address, svid, { ALPNProtocols: ['h2'] })
  const half = connect(server.address.port, server.address.host)
  half.write(Buffer.from('1603010100', 'hex'))
  await once(half, 'connect')
  half.end()
  await eventually(() => server.refusals.length === 6)
  assert.deepEqual(
    server.refusals.map(({ code }) => code),
    ['handshake-timeout', 'plaintext', 'plaintext', 'tls-version', 'alpn', 'connection-closed'],
  )
  assert(server.remotes.every((remote) => remote?.host === '127.0.0.1'))
})

test('a connection without a single byte is not a handshake', async () => {
  await using server = await startTestListener()
  const probe = connect(server.address.port, server.address.host)
  await once(probe, 'connect')
  probe.destroy()
  await greet(server.address, server.authority.issueSvid('/payments'))
  assert.deepEqual(server.refusals, [])
})

test('connections beyond the limit are refused at once', async () => {
  await using server = await startTestListener({ maxConnections: 1 })
  const svid = server.authority.issueSvid('/payments')
  const first = await greet(server.address, svid)
  assert.equal((await greet(server.address, svid)).received, '')
  assert.equal(server.refusals[0]?.code, 'too-many-connections')
  assert.equal(first.socket.destroyed, false)
})

test('a resumed session is refused once the SVID behind it has expired', async () => {
  const clock = shiftedClock()
  await using server = await startTestListener({ clock })
  const svid = server.authority.issueSvid('/payments')
  const { session } = await greet(server.address, svid)
  const again = await greet(server.address, svid, { session })
  assert.equal(again.resumed, true)
  assert.equal(server.peers[1]?.resumed, true)
  assert.equal(server.peers[1]?.id.uri, 'spiffe://bank.test/payments')
  clock.shiftMs = 2 * hour
  const late = await greet(server.address, svid, { session })
  assert.equal(late.resumed, true)
  assert.equal(late.received, '')
  assert.equal(server.refusals[0]?.code, 'expired')
})

test('a resumed session keeps its intermediates', async () => {
  await using server = await startTestListener()
  const svid = server.authority.issueAuthority().issueSvid('/payments')
  const { session } = await greet(server.address, svid)
  const again = await greet(server.address, svid, { session })
  assert.equal(again.resumed, true)
  assert.equal(again.received, GREETING)
  assert.equal(server.peers[1]?.chain.length, 2)
})

test('a session without a certificate stays without one', async () => {
  await using server = await startTestListener({ clientCertificate: 'optional' })
  const { session } = await greet(server.address, undefined)
  const again = await greet(server.address, server.authority.issueSvid('/payments'), { session })
  assert.equal(again.resumed, true)
  assert.deepEqual(server.peers, [undefined, undefined])
})

test('sessions end when the bundle or the SVID changes, and an authority that left is refused', async () => {
  await using server = await startTestListener()
  const svid = server.authority.issueSvid('/payments')
  const first = await greet(server.address, svid)
  server.svid.set(server.authority.issueSvid('/server'))
  const second = await greet(server.address, svid, { session: first.session })
  assert.equal(second.resumed, false)
  assert.equal(second.received, GREETING)
  const next = createTestAuthority('bank.test')
  server.bundles.set(next.bundles)
  const third = await greet(server.address, svid, { session: second.session })
  assert.equal(third.resumed, false)
  assert.equal(third.received, '')
  assert.equal(server.refusals[0]?.code, 'unknown-authority')
})

test('verification does not lean on the ticket keys: a session that is resumed is checked against the bundles of now', async () => {
  const authority = createTestAuthority('bank.test')
  const svid = createWatch(authority.issueSvid('/server'))
  let trusted = authority.bundles
  const bundles = createWatch({ bundleFor: (td: Parameters<typeof trusted.bundleFor>[0]) => trusted.bundleFor(td) })
  const refusals: string[] = []
  await using listener = await createMtlsListener(
    { svid, bundles, clock: systemClock, logger: createRecordingLogger() },
    { address: { host: '127.0.0.1', port: 0 }, clientCertificate: 'required', alpn: [] },
    { connection: (socket) => void socket.write(GREETING), refused: ({ code }) => void refusals.push(code) },
  )
  const client = authority.issueSvid('/payments')
  const { session } = await greet(listener.address, client)
  trusted = createBundleSource([createTestAuthority('bank.test').bundle])
  const again = await greet(listener.address, client, { session })
  assert.equal(again.resumed, true)
  assert.equal(again.received, '')
  assert.deepEqual(refusals, ['unknown-authority'])
})

test('connections live through a rotation', async () => {
  await using server = await startTestListener()
  const svid = server.authority.issueSvid('/payments')
  const { socket } = await greet(server.address, svid)
  const serials = new Set([socket.getPeerX509Certificate()?.serialNumber])
  for (let round = 0; round < 3; round++) {
    server.svid.set(server.authority.issueSvid('/server'))
    serials.add((await greet(server.address, svid)).socket.getPeerX509Certificate()?.serialNumber)
  }
  server.sockets[0]?.write('still here')
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  assert.equal(chunk.toString(), 'still here')
  assert.equal(serials.size, 4)
})

test('a handler that throws costs its connection, not the process', async () => {
  const authority = createTestAuthority('bank.test')
  const logger = createRecordingLogger()
  await using listener = await createMtlsListener(
    {
      svid: createWatch(authority.issueSvid('/server')),
      bundles: createWatch(authority.bundles),
      clock: systemClock,
      logger,
    },
    { address: { host: '127.0.0.1', port: 0 }, clientCertificate: 'required', alpn: [] },
    {
      connection() {
        throw new Error('boom')
      },
      refused() {
        throw new Error('bang')
      },
    },
  )
  await greet(listener.address, authority.issueSvid('/payments'))
  await greet(listener.address, undefined)
  assert.deepEqual(
    logger.entries.map(({ level, fields }) => `${level} ${String(fields['error'])}`),
    ['error boom', 'error bang'],
  )
})

test('says that a port is in use', async () => {
  await using server = await startTestListener()
  const deps = { svid: server.svid, bundles: server.bundles, clock: new FakeClock(), logger: createRecordingLogger() }
  const options = { address: server.address, clientCertificate: 'required', alpn: [] } as const
  await assert.rejects(createMtlsListener(deps, options, { connection() {}, refused() {} }), {
    code: 'ERR_PORT_IN_USE',
    message: `cannot listen on ${formatHostPort(server.address)}: the port is in use`,
  })
})

test('openssl gets in with an SVID and not without', async (t) => {
  if (spawnSync('openssl', ['version']).error) return t.skip('openssl is not there: apt-get install openssl')
  await using server = await startTestListener()
  const folder = mkdtempSync(join(tmpdir(), 'picket-openssl-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const svid = server.authority.issueAuthority().issueSvid('/payments')
  writeFileSync(join(folder, 'svid.pem'), encodeCertificatesPem(svid.chain))
  writeFileSync(join(folder, 'key.pem'), encodePrivateKeyPem(svid.privateKey))
  writeFileSync(join(folder, 'ca.pem'), encodeCertificatesPem(server.authority.bundle.x509Authorities))
  const common = ['s_client', '-connect', formatHostPort(server.address), '-CAfile', join(folder, 'ca.pem'), '-quiet']
  const identity = [
    '-cert',
    join(folder, 'svid.pem'),
    '-cert_chain',
    join(folder, 'svid.pem'),
    '-key',
    join(folder, 'key.pem'),
  ]
  const run = async (args: string[]): Promise<string> => {
    const child = spawn('openssl', args, { stdio: ['pipe', 'pipe', 'ignore'] })
    let out = ''
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString()
      if (out.includes(GREETING)) child.kill()
    })
    await once(child, 'close')
    return out
  }
  assert.equal(await run([...common, '-verify_return_error', ...identity]), GREETING)
  assert.equal(await run(common), '')
  assert.equal(server.refusals[0]?.code, 'no-certificate')
})
