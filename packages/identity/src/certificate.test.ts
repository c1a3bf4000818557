import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseCertificate } from './certificate.ts'
import { der, encodeDer } from './der.ts'
import { EMPTY_NAME, encodeName } from './distinguished-name.ts'
import { IdentityError } from './error.ts'
import { keyUsage, nameConstraints, subjectAltName, toExtensions } from './extension.ts'
import { KEY_ALGORITHMS } from './key-algorithm.ts'
import { OID } from './oid.ts'
import { certificateOf, keyPair, SPKI } from './testing-certificate.ts'
import { createTestAuthority, sharedKeyPair } from './testing.ts'

const authority = createTestAuthority('bank.test')

test('reads what was written', () => {
  const { chain } = authority.issueSvid('/payments', {
    dnsNames: ['payments.bank.test'],
    serialNumber: Buffer.of(0, 0x80, 1),
  })
  const leaf = chain[0]!
  assert.equal(leaf.serialNumber, '8001')
  assert.equal(leaf.isCa, false)
  assert.equal(leaf.pathLen, undefined)
  assert.deepEqual(leaf.keyUsage, ['digitalSignature'])
  assert.deepEqual(leaf.extendedKeyUsage, [OID.serverAuth, OID.clientAuth])
  assert.deepEqual(leaf.uriSans, ['spiffe://bank.test/payments'])
  assert.deepEqual(leaf.dnsSans, ['payments.bank.test'])
  assert.equal(leaf.authorityKeyId, authority.certificate.subjectKeyId)
  assert.equal(leaf.subjectKeyId, leaf.publicKeyInfo.keyId)
  assert.deepEqual(leaf.issuer, authority.certificate.subject)
  assert.deepEqual(leaf.subject, EMPTY_NAME)
  assert.deepEqual(leaf.unknownCriticalExtensions, [])
  assert.equal(leaf.keyAlgorithm, 'ec-p256')
  assert.ok(leaf.isSignedWith(authority.keyPair.publicKey))
  assert.ok(!leaf.isSignedWith(keyPair.publicKey))
})

test('agrees with Node on what both read', () => {
  for (const algorithm of KEY_ALGORITHMS) {
    const ours = authority.issueSvid('/x', { keyPair: sharedKeyPair(algorithm) }).chain[0]!
    const theirs = new X509Certificate(ours.der)
    assert.equal(theirs.serialNumber.toLowerCase(), ours.serialNumber)
    assert.equal(theirs.fingerprint256.replaceAll(':', '').toLowerCase(), ours.fingerprintSha256)
    assert.equal(new Date(theirs.validTo).getTime(), ours.notAfter.getTime())
    assert.ok(theirs.publicKey.equals(ours.publicKey))
    assert.ok(theirs.verify(authority.keyPair.publicKey))
  }
})

test('an authority has its flag, path length and constraints', () => {
  const { certificate } = createTestAuthority('bank.test', {
    pathLen: 0,
    permitted: ['bank.test'],
    excluded: ['.evil'],
  })
  assert.equal(certificate.isCa, true)
  assert.equal(certificate.pathLen, 0)
  assert.deepEqual(certificate.keyUsage, ['keyCertSign', 'cRLSign'])
  assert.deepEqual(certificate.nameConstraints, {
    permitted: [{ kind: 'uri', text: 'bank.test' }],
    excluded: [{ kind: 'uri', text: '.evil' }],
  })
  assert.ok(certificate.isSignedWith(certificate.publicKey))
})

test('a certificate put together by hand is read, so that each refusal below has one cause', () => {
  assert.equal(parseCertificate(certificateOf({})).serialNumber, '07')
})

test('a point off its curve is refused when the key is used', () => {
  const spki = Buffer.from(SPKI)
  spki[spki.length - 1]! ^= 1
  const certificate = parseCertificate(certificateOf({ publicKeyInfo: der.encoded(spki) }))
  assert.throws(() => certificate.publicKey, { code: 'ERR_KEY' })
})

test('an unknown critical extension is noted, an unknown other one is passed over', () => {
  const value = encodeDer(der.sequence())
  const extensions = [
    { oid: '1.2.3.4', critical: true, value },
    { oid: '1.2.3.5', critical: false, value: Buffer.from('no DER at all') },
  ]
  const certificate = parseCertificate(certificateOf({ extensions: der.wrapped(3, toExtensions(extensions)) }))
  assert.deepEqual(certificate.unknownCriticalExtensions, ['1.2.3.4'])
  assert.deepEqual(
    certificate.extensions.map(({ oid }) => oid),
    ['1.2.3.4', '1.2.3.5'],
  )
})

test('key usages are written and read back, whichever they are', () => {
  const all = ['digitalSignature', 'keyAgreement', 'keyCertSign', 'cRLSign', 'encipherOnly', 'decipherOnly'] as const
  fc.assert(
    fc.property(fc.subarray([...all]), (usages) => {
      const bytes = certificateOf({ extensions: der.wrapped(3, toExtensions([keyUsage(usages)])) })
      assert.deepEqual(parseCertificate(bytes).keyUsage, usages)
    }),
    { numRuns: 64 },
  )
})

test('names are written and read back', () => {
  const text = fc.stringMatching(/^[!-~]{1,30}$/)
  fc.assert(
    fc.property(fc.array(text, { maxLength: 5 }), fc.array(text, { minLength: 1, maxLength: 5 }), (uris, dnsNames) => {
      const bytes = certificateOf({
        extensions: der.wrapped(
          3,
          toExtensions([subjectAltName({ uris, dnsNames }, true), nameConstraints(dnsNames, uris)]),
        ),
      })
      const certificate = parseCertificate(bytes)
      assert.deepEqual([certificate.uriSans, certificate.dnsSans], [uris, dnsNames])
      assert.deepEqual(
        certificate.nameConstraints?.permitted.map(({ text: host }) => host),
        dnsNames,
      )
    }),
    { numRuns: 50 },
  )
})

test('a certificate with any octet changed is read or refused with an IdentityError, and verifies never', () => {
  const good = authority.issueSvid('/payments').chain[0]!.der
  for (let at = 0; at < good.length; at++) {
    const bytes = Buffer.from(good)
    bytes[at]! ^= 1 << (at % 8)
    try {
      assert.equal(parseCertificate(bytes).isSignedWith(authority.keyPair.publicKey), false, `octet ${at}`)
    } catch (thrown) {
      assert.ok(thrown instanceof IdentityError, String(thrown))
    }
  }
})

test('a subject of several attributes keeps its order', () => {
  const name = encodeName([
    { oid: OID.organization, value: 'Bänk' },
    { oid: OID.commonName, value: 'authority' },
  ])
  const certificate = parseCertificate(certificateOf({ subject: der.encoded(name) }))
  assert.match(new X509Certificate(certificate.der).subject, /^O=B.*nk\nCN=authority$/)
})
