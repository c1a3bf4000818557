import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { connect, createServer } from 'node:tls'
import {
  createCsr,
  encodeCertificatesPem,
  encodePrivateKeyPem,
  encodeTrustBundlePem,
  generateKeyPair,
  KEY_ALGORITHMS,
  parseCsr,
  parseSpiffeId,
  type KeyAlgorithm,
} from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { systemClock, systemRandom } from '@picket/runtime'
import type { Authority, InitAuthorityOptions } from './authority.ts'
import { initAuthority } from './open-authority.ts'
import { createTestCa, inTestFolder, testSealKey as sealKey } from './testing.ts'

const hasOpenssl = spawnSync('openssl', ['version']).status === 0
const skip = hasOpenssl ? false : 'openssl is missing: apt-get install openssl'

function openssl(args: readonly string[], encoding: 'utf8' | 'buffer' = 'utf8'): Buffer | string {
  const { status, stdout, stderr } = spawnSync('openssl', args, { encoding })
  assert.equal(status, 0, `openssl ${args.join(' ')}\n${String(stdout)}${String(stderr)}`)
  return stdout
}

test('openssl makes the request, we issue, openssl verifies strictly against the bundle', { skip }, () =>
  inTestFolder(async (folder) => {
    await using authority = await createTestCa(join(folder, 'ca'), 'bank.test', systemClock)
    const bundle = join(folder, 'ca', 'trust-bundle.pem')
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', join(folder, 'key.pem')]
    const csr = openssl(['req', '-new', ...curve, '-subj', '/CN=payments', '-outform', 'DER'], 'buffer')
    const chain = await authority.issue({
      csr: parseCsr(csr as Buffer),
      id: parseSpiffeId('spiffe://bank.test/payments'),
      ttlMs: 3_600_000,
      dnsNames: ['payments.bank.test'],
      caller: 'test',
    })
    const svid = join(folder, 'svid.pem')
    await writeFile(svid, encodeCertificatesPem(chain))
    for (const purpose of ['sslserver', 'sslclient']) {
      assert.match(String(openssl(['verify', '-x509_strict', '-purpose', purpose, '-CAfile', bundle, svid])), /: OK/)
    }
    assert.match(String(openssl(['verify', '-x509_strict', '-CAfile', bundle, bundle])), /: OK/)
    const text = String(openssl(['x509', '-noout', '-text', '-in', svid]))
    assert.match(text, /URI:spiffe:\/\/bank\.test\/payments, DNS:payments\.bank\.test/)
    assert.match(text, /X509v3 Key Usage: critical\s+Digital Signature\n/)
    assert.match(text, /Subject: \n/)
  }),
)

const id = parseSpiffeId('spiffe://bank.test/payments')

/** An authority of `algorithm`, and an SVID with a key of it too, as PEM. */
async function withSvid(
  folder: string,
  algorithm: KeyAlgorithm,
  changes: Partial<InitAuthorityOptions>,
  body: (svid: { cert: string; key: string; ca: string }, authority: Authority) => Promise<void>,
): Promise<void> {
  const options = { trustDomain: id.trustDomain, algorithm, sealKey, ...changes }
  await using authority = await initAuthority(join(folder, 'ca'), options, { clock: systemClock, random: systemRandom })
  const keyPair = generateKeyPair(algorithm)
  const chain = await authority.issue({ csr: parseCsr(createCsr(keyPair)), id, ttlMs: 3_600_000, caller: 'test' })
  const key = encodePrivateKeyPem(keyPair.privateKey)
  await body({ cert: encodeCertificatesPem(chain), key, ca: encodeTrustBundlePem(authority.bundle.value) }, authority)
}

/** Debian's OpenSSL 3.0 does not know ML-DSA. */
for (const algorithm of KEY_ALGORITHMS.filter((one) => !one.startsWith('ml-dsa'))) {
  test(`openssl verify -x509_strict accepts authority and SVID of ${algorithm}`, { skip }, () =>
    inTestFolder((folder) =>
      withSvid(folder, algorithm, {}, async ({ cert }) => {
        const bundle = join(folder, 'ca', 'trust-bundle.pem')
        const svid = join(folder, 'svid.pem')
        await writeFile(svid, cert)
        for (const purpose of ['sslserver', 'sslclient']) {
          assert.match(
            String(openssl(['verify', '-x509_strict', '-purpose', purpose, '-CAfile', bundle, svid])),
            /: OK/,
          )
        }
      }),
    ),
  )
}

/** Mutual TLS by Node alone, none of our checks. */
async function shakeHands(credentials: { cert: string; key: string; ca: string }): Promise<string> {
  const server = createServer({ ...credentials, requestCert: true, rejectUnauthorized: true }, (socket) => {
    socket.end(socket.authorized ? 'authorized' : 'not authorized')
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  try {
    const { port } = server.address() as AddressInfo
    const client = connect({ ...credentials, host: '127.0.0.1', port, checkServerIdentity: () => undefined })
    const [answer] = (await once(client, 'data')) as [Buffer]
    client.destroy()
    return answer.toString()
  } finally {
    server.close()
  }
}

for (const algorithm of KEY_ALGORITHMS) {
  test(`Node accepts authority and SVID of ${algorithm} on both sides of a connection`, () =>
    inTestFolder((folder) =>
      withSvid(folder, algorithm, {}, async (svid) => assert.equal(await shakeHands(svid), 'authorized')),
    ))
}

test('Node accepts a chain through our intermediate, name constraint included', () =>
  inTestFolder(async (folder) => {
    const root = createTestAuthority('bank.test')
    const file = (name: string): string => join(folder, name)
    await writeFile(file('root.pem'), encodeCertificatesPem([root.certificate]))
    await writeFile(file('root.key'), encodePrivateKeyPem(root.keyPair.privateKey))
    const upstream = { certificateFile: file('root.pem'), keyFile: file('root.key'), bundleFile: file('root.pem') }
    await withSvid(folder, 'ec-p256', { upstream }, async (svid) => assert.equal(await shakeHands(svid), 'authorized'))
  }))
