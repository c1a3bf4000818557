import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { encodeCertificatesPem } from './certificate.ts'
import { createCrl } from './crl.ts'
import { createCsr, parseCsr } from './csr.ts'
import { KEY_ALGORITHMS } from './key-algorithm.ts'
import { parsePrivateKeyPem } from './key-pair.ts'
import { decodePem, encodePem } from './pem.ts'
import { parseSpiffeId } from './spiffe-id.ts'
import { createTestAuthority, sharedKeyPair } from './testing.ts'
import { encodeTrustBundlePem } from './trust-bundle.ts'

const hasOpenssl = spawnSync('openssl', ['version']).status === 0
const skip = hasOpenssl ? false : 'openssl is missing: apt-get install openssl'
const folder = mkdtempSync(join(tmpdir(), 'picket-identity-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** Debian's OpenSSL 3.0 does not know ML-DSA. */
const KNOWN_TO_OPENSSL = KEY_ALGORITHMS.filter((algorithm) => !algorithm.startsWith('ml-dsa'))

const file = (name: string, text: string | Buffer = ''): string => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

function openssl(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('openssl', args, { encoding: 'utf8' })
  assert.equal(status, 0, `openssl ${args.join(' ')}\n${stdout}${stderr}`)
  return stdout
}

for (const algorithm of KNOWN_TO_OPENSSL) {
  test(`openssl verify -x509_strict accepts an SVID of ${algorithm} against the bundle`, { skip }, () => {
    const keyPair = sharedKeyPair(algorithm)
    const authority = createTestAuthority('bank.test', { keyPair })
    const bundle = file('bundle.pem', encodeTrustBundlePem(authority.bundle))
    const direct = file('svid.pem', encodeCertificatesPem(authority.issueSvid('/payments', { keyPair }).chain))
    const [leaf, middle] = authority.issueAuthority({ pathLen: 0 }).issueSvid('/payments').chain
    const below = file('below.pem', encodeCertificatesPem([leaf!]))
    const untrusted = file('middle.pem', encodeCertificatesPem([middle!]))
    for (const purpose of ['sslserver', 'sslclient']) {
      const strict = ['verify', '-x509_strict', '-purpose', purpose, '-CAfile', bundle]
      assert.match(openssl(...strict, direct), /: OK/)
      assert.match(openssl(...strict, '-untrusted', untrusted, below), /: OK/)
    }
  })
}

const KEYS = [
  ['P-256', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']],
  ['P-384', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384']],
  ['Ed25519', ['-newkey', 'ed25519']],
  ['RSA', ['-newkey', 'rsa:3072']],
] as const

for (const [what, key] of KEYS) {
  test(`takes the CSR and the key that openssl req makes: ${what}`, { skip }, () => {
    const keyFile = file('key.pem')
    const san = ['-subj', '/O=Bank/CN=payments', '-addext', 'subjectAltName=URI:spiffe://bank.test/payments,DNS:p']
    const pem = openssl('req', '-new', ...key, '-nodes', '-keyout', keyFile, ...san)
    const csr = parseCsr(decodePem(pem, 'CERTIFICATE REQUEST')[0]!)
    assert.equal(csr.requestedId?.uri, 'spiffe://bank.test/payments')
    const privateKey = parsePrivateKeyPem(openssl('pkey', '-in', keyFile))
    assert.ok(csr.publicKey.asymmetricKeyType === privateKey.reveal().asymmetricKeyType)
  })
}

test('openssl req verifies a CSR of ours', { skip }, () => {
  for (const algorithm of KNOWN_TO_OPENSSL) {
    const csr = createCsr(sharedKeyPair(algorithm), parseSpiffeId('spiffe://bank.test/payments'))
    const text = openssl(
      'req',
      '-verify',
      '-noout',
      '-text',
      '-in',
      file('ours.pem', encodePem(csr, 'CERTIFICATE REQUEST')),
    )
    assert.match(text, /URI:spiffe:\/\/bank\.test\/payments/)
  }
})

for (const algorithm of KNOWN_TO_OPENSSL) {
  test(`openssl crl verifies a list signed with ${algorithm}, and finds what it lists`, { skip }, () => {
    const keyPair = sharedKeyPair(algorithm)
    const { certificate, bundle } = createTestAuthority('bank.test', { keyPair })
    const now = Date.now()
    const revoked = [{ serialNumber: '0badc0de', revokedAt: new Date(now) }]
    const dates = { thisUpdate: new Date(now), nextUpdate: new Date(now + 3_600_000) }
    const list = createCrl({ issuer: certificate, crlNumber: 300n, ...dates, revoked }, keyPair.privateKey)
    const crlFile = file('list.crl', list)
    const caFile = file('bundle.pem', encodeTrustBundlePem(bundle))
    const check = (trusted: string): { stdout: string; stderr: string } => {
      const args = ['crl', '-inform', 'der', '-in', crlFile, '-CAfile', trusted, '-verify', '-noout', '-text']
      return spawnSync('openssl', args, { encoding: 'utf8' })
    }
    const { stdout, stderr } = check(caFile)
    assert.match(stderr, /verify OK/)
    assert.match(stdout, /Serial Number: 0BADC0DE/)
    assert.match(stdout, /X509v3 CRL Number:\s+300/)
    const stranger = file('stranger.pem', encodeTrustBundlePem(createTestAuthority('bank.test').bundle))
    assert.doesNotMatch(check(stranger).stderr, /verify OK/)
  })
}

test('openssl verify -crl_check refuses an SVID that the list names', { skip }, () => {
  const authority = createTestAuthority('bank.test')
  const [leaf] = authority.issueSvid('/payments').chain
  const dates = { thisUpdate: new Date(Date.now() - 1000), nextUpdate: new Date(Date.now() + 3_600_000) }
  const listing = (serialNumber: string): string => {
    const revoked = [{ serialNumber, revokedAt: dates.thisUpdate }]
    const template = { issuer: authority.certificate, crlNumber: 1n, ...dates, revoked }
    return file(`${serialNumber}.pem`, encodePem(createCrl(template, authority.keyPair.privateKey), 'X509 CRL'))
  }
  const caFile = file('bundle.pem', encodeTrustBundlePem(authority.bundle))
  const svid = file('svid.pem', encodeCertificatesPem([leaf!]))
  const verify = (crlFile: string): string =>
    spawnSync('openssl', ['verify', '-crl_check', '-CAfile', caFile, '-CRLfile', crlFile, svid], { encoding: 'utf8' })
      .stderr
  assert.match(verify(listing(leaf!.serialNumber)), /certificate revoked/)
  assert.equal(verify(listing('07')), '')
})
