import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseCertificate } from './certificate.ts'
import { der, encodeDer, type DerValue } from './der.ts'
import { EMPTY_NAME, encodeName } from './distinguished-name.ts'
import { IdentityError } from './error.ts'
import { basicConstraints, keyUsage, nameConstraints, subjectAltName, toExtensions } from './extension.ts'
import { signBytes } from './key-algorithm.ts'
import { generateKeyPair } from './key-pair.ts'
import { OID } from './oid.ts'
import { toPublicKeyInfo } from './public-key.ts'
import { createTestAuthority } from './testing.ts'

const authority = createTestAuthority('bank.test')
const keyPair = generateKeyPair()
const ECDSA_SHA256 = Buffer.from('300a06082a8648ce3d040302', 'hex')
const SPKI = toPublicKeyInfo(keyPair.publicKey).der

/** The fields of a good TBSCertificate, in order, for a test to replace one of. */
const FIELDS = {
  version: der.wrapped(0, der.unsigned(Buffer.of(2))) as DerValue | undefined,
  serialNumber: der.unsigned(Buffer.of(7)),
  signature: der.encoded(ECDSA_SHA256),
  issuer: der.encoded(EMPTY_NAME),
  validity: der.sequence(der.time(new Date(0)), der.time(new Date(1e12))),
  subject: der.encoded(EMPTY_NAME),
  publicKeyInfo: der.encoded(SPKI),
  uniqueId: undefined as DerValue | undefined,
  extensions: der.wrapped(3, toExtensions([basicConstraints(false)])) as DerValue | undefined,
}

function certificateOf(fields: Partial<typeof FIELDS>, algorithm: DerValue = FIELDS.signature): Buffer {
  const signed = der.sequence(...Object.values({ ...FIELDS, ...fields }).filter((field) => field !== undefined))
  const signature = signBytes(encodeDer(signed), keyPair.privateKey.reveal())
  return encodeDer(der.sequence(signed, algorithm, der.bits(signature)))
}

const withExtension = (oid: string, value: DerValue): Buffer =>
  certificateOf({ extensions: der.wrapped(3, toExtensions([{ oid, critical: true, value: encodeDer(value) }])) })
const dns = (name: string): DerValue => der.tagged(2, Buffer.from(name))

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
  for (const algorithm of ['ec-p256', 'ec-p384', 'ed25519'] as const) {
    const ours = authority.issueSvid('/x', { algorithm }).chain[0]!
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

const REFUSED: readonly (readonly [string, string, Buffer])[] = [
  ['another structure', 'ERR_DER', encodeDer(der.sequence())],
  ['version 1', 'ERR_DER', certificateOf({ version: undefined })],
  ['version 2', 'ERR_CERTIFICATE', certificateOf({ version: der.wrapped(0, der.unsigned(Buffer.of(1))) })],
  ['a negative serial number', 'ERR_CERTIFICATE', certificateOf({ serialNumber: der.encoded(Buffer.of(2, 1, 0x80)) })],
  [
    'a serial number of 21 octets',
    'ERR_CERTIFICATE',
    certificateOf({ serialNumber: der.unsigned(Buffer.alloc(21, 0xff)) }),
  ],
  ['two signature algorithms', 'ERR_CERTIFICATE', certificateOf({}, der.encoded(Buffer.from('300506032b6570', 'hex')))],
  [
    'a foreign signature algorithm',
    'ERR_UNSUPPORTED_ALGORITHM',
    certificateOf(
      { signature: der.sequence(der.oid('1.2.840.113549.1.1.5')) },
      der.sequence(der.oid('1.2.840.113549.1.1.5')),
    ),
  ],
  [
    'parameters on a signature algorithm that has none',
    'ERR_UNSUPPORTED_ALGORITHM',
    certificateOf(
      { signature: der.sequence(der.oid('1.2.840.10045.4.3.2'), der.encoded(Buffer.of(5, 0))) },
      der.sequence(der.oid('1.2.840.10045.4.3.2'), der.encoded(Buffer.of(5, 0))),
    ),
  ],
  [
    'a foreign key algorithm',
    'ERR_UNSUPPORTED_ALGORITHM',
    certificateOf({ publicKeyInfo: der.sequence(der.sequence(der.oid('1.2.3')), der.bits(Buffer.alloc(65, 4))) }),
  ],
  [
    'a hybrid point',
    'ERR_KEY',
    certificateOf({ publicKeyInfo: der.sequence(der.encoded(SPKI.subarray(2, 23)), der.bits(Buffer.alloc(65, 6))) }),
  ],
  [
    'a compressed point',
    'ERR_KEY',
    certificateOf({ publicKeyInfo: der.sequence(der.encoded(SPKI.subarray(2, 23)), der.bits(Buffer.alloc(33, 2))) }),
  ],
  [
    'an instant that does not exist',
    'ERR_DER',
    certificateOf({ validity: der.sequence(der.utf8('x'), der.utf8('y')) }),
  ],
  ['a unique identifier', 'ERR_DER', certificateOf({ uniqueId: der.tagged(1, Buffer.of(0, 1)) })],
  ['no extensions', 'ERR_DER', certificateOf({ extensions: undefined })],
  [
    'an extension twice',
    'ERR_CERTIFICATE',
    certificateOf({ extensions: der.wrapped(3, toExtensions([basicConstraints(false), basicConstraints(true)])) }),
  ],
  ['a FALSE that is the default', 'ERR_DER', withExtension(OID.basicConstraints, der.sequence(der.boolean(false)))],
  [
    'a path length without the CA flag',
    'ERR_CERTIFICATE',
    withExtension(OID.basicConstraints, der.sequence(der.unsigned(Buffer.of(1)))),
  ],
  ['a key usage that is no bit string', 'ERR_CERTIFICATE', withExtension(OID.keyUsage, der.octets(Buffer.of(0)))],
  ['an empty extended key usage', 'ERR_CERTIFICATE', withExtension(OID.extendedKeyUsage, der.sequence())],
  ['a key identifier that is no octet string', 'ERR_CERTIFICATE', withExtension(OID.subjectKeyId, der.sequence())],
  [
    'no alternative name in the extension for them',
    'ERR_CERTIFICATE',
    withExtension(OID.subjectAltName, der.sequence()),
  ],
  [
    '101 alternative names',
    'ERR_CERTIFICATE',
    withExtension(OID.subjectAltName, der.sequence(...Array.from({ length: 101 }, () => dns('a')))),
  ],
  [
    '10 000 alternative names',
    'ERR_DER',
    withExtension(OID.subjectAltName, der.sequence(...Array.from({ length: 10_000 }, () => dns('a')))),
  ],
  [
    'more than 64 KiB of alternative names',
    'ERR_DER',
    withExtension(OID.subjectAltName, der.sequence(...Array.from({ length: 90 }, () => dns('a'.repeat(800))))),
  ],
  ['a NUL in a name', 'ERR_CERTIFICATE', withExtension(OID.subjectAltName, der.sequence(dns('bank.test\0.evil')))],
  ['a name beyond ASCII', 'ERR_CERTIFICATE', withExtension(OID.subjectAltName, der.sequence(dns('bänk')))],
  [
    'a name of no known kind',
    'ERR_CERTIFICATE',
    withExtension(OID.subjectAltName, der.sequence(der.tagged(9, Buffer.of(1)))),
  ],
  ['a name that is no name', 'ERR_CERTIFICATE', withExtension(OID.subjectAltName, der.sequence(der.utf8('x')))],
  [
    'a name constraint with bounds',
    'ERR_CERTIFICATE',
    withExtension(
      OID.nameConstraints,
      der.sequence(der.wrapped(0, der.sequence(dns('a'), der.tagged(0, Buffer.of(1))))),
    ),
  ],
  [
    'name constraints without names',
    'ERR_CERTIFICATE',
    withExtension(OID.nameConstraints, der.sequence(der.wrapped(0))),
  ],
  [
    'bytes after an extension’s value',
    'ERR_DER',
    certificateOf({
      extensions: der.wrapped(
        3,
        toExtensions([{ oid: OID.keyUsage, critical: true, value: Buffer.from('03020780ff', 'hex') }]),
      ),
    }),
  ],
  ['bytes after the certificate', 'ERR_DER', Buffer.concat([certificateOf({}), Buffer.of(0)])],
  ['a certificate that is cut off', 'ERR_DER', certificateOf({}).subarray(0, -1)],
]

for (const [what, code, bytes] of REFUSED) {
  test(`refuses ${what}`, () => assert.throws(() => parseCertificate(bytes), { code }))
}

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
