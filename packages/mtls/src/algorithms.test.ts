import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer } from 'node:tls'
import { test } from 'node:test'
import { createBundleSource, generateKeyPairAsync, KEY_ALGORITHMS, type X509Svid } from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { toSecureContextOptions } from './secure-context.ts'
import { createTestDialer, dial } from './testing-dialer.ts'
import { startTestListener } from './testing.ts'

for (const algorithm of KEY_ALGORITHMS) {
  test(`${algorithm}: workloads reach each other, twice, under an authority of the same algorithm`, async () => {
    // One key for all, since a large RSA key takes seconds to make.
    const keyPair = await generateKeyPairAsync(algorithm)
    const authority = createTestAuthority('bank.test', { keyPair })
    await using server = await startTestListener({ authority })
    server.svid.set(authority.issueSvid('/server', { keyPair }))
    const { dialer } = createTestDialer(authority, { svid: authority.issueSvid('/payments', { keyPair }) })
    // An ML-DSA-65 session is above 10 KB: Node does not tell of it, and the next handshake is a full one.
    const ticket = algorithm !== 'ml-dsa-65'
    for (const resumed of [false, ticket]) {
      const dialled = await dial(dialer, server, { ticket })
      assert.deepEqual([dialled.refusal, dialled.resumed], [undefined, resumed])
      assert.equal(algorithmOf(dialer.peerOf(dialled.socket)), algorithm)
    }
    assert.deepEqual(
      server.peers.map((peer) => algorithmOf(peer)),
      [algorithm, algorithm],
    )
    assert.deepEqual(server.refusals, [])
  })

  test(`${algorithm}: Node’s own verification agrees, by X509Certificate and in a TLS handshake`, async () => {
    const keyPair = await generateKeyPairAsync(algorithm)
    const authority = createTestAuthority('bank.test', { keyPair })
    const svid = authority.issueSvid('/server', { keyPair, dnsNames: ['server.bank.test'] })
    const [leaf, root] = [svid.chain[0]!, authority.certificate].map(({ der }) => new X509Certificate(der))
    assert.ok(
      leaf!.checkIssued(root!) && leaf!.verify(root!.publicKey) && leaf!.checkPrivateKey(svid.privateKey.reveal()),
    )
    assert.equal(await isAuthorized(svid, root!.toString()), true)
  })
}

const algorithmOf = (peer: { leaf: { keyAlgorithm: string } } | undefined): string | undefined =>
  peer?.leaf.keyAlgorithm

/** A mutual handshake of two Node ends, each with the root as its CA list; true when both found the other right. */
async function isAuthorized(svid: X509Svid, ca: string): Promise<boolean> {
  const options = { ...toSecureContextOptions(svid), ca: [ca] }
  const server = createServer({ ...options, requestCert: true, rejectUnauthorized: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const accepted = once(server, 'secureConnection') as Promise<[{ authorized: boolean }]>
  const socket = connect({ host: '127.0.0.1', port, servername: 'server.bank.test', ...options })
  const [[other]] = await Promise.all([accepted, once(socket, 'secureConnect')])
  const both = socket.authorized && other.authorized
  socket.destroy()
  server.close()
  return both
}

test('a listener and its dialers move from P-256 to ML-DSA-65 and back, live', async () => {
  const classical = createTestAuthority('bank.test')
  const quantum = createTestAuthority('bank.test', { algorithm: 'ml-dsa-65' })
  const x509Authorities = [classical.certificate, quantum.certificate]
  const bundles = createBundleSource([{ ...classical.bundle, x509Authorities }])
  await using server = await startTestListener({ authority: classical })
  server.bundles.set(bundles)
  const side = createTestDialer(classical, { bundles })
  using dialer = side.dialer
  const first = await dial(dialer, server)

  server.svid.set(quantum.issueSvid('/server', { algorithm: 'ml-dsa-65' }))
  const second = await dial(dialer, server)
  side.svid.set(quantum.issueSvid('/payments', { algorithm: 'ml-dsa-65' }))
  const third = await dial(dialer, server, { ticket: false })
  server.svid.set(classical.issueSvid('/server'))
  side.svid.set(classical.issueSvid('/payments'))
  const fourth = await dial(dialer, server)

  const algorithms = [first, second, third, fourth].map(({ socket }) => algorithmOf(dialer.peerOf(socket)))
  assert.deepEqual(algorithms, ['ec-p256', 'ml-dsa-65', 'ml-dsa-65', 'ec-p256'])
  assert.deepEqual(server.peers.map(algorithmOf), ['ec-p256', 'ec-p256', 'ml-dsa-65', 'ec-p256'])
  const still = [first, second, third, fourth].map(({ socket }) => once(socket, 'data'))
  for (const socket of server.sockets) socket.write('still here')
  assert.equal((await Promise.all(still)).length, 4)
  assert.deepEqual(server.refusals, [])
})
