import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createCrl, MAX_CRL_BYTES, MAX_REVOKED_CERTIFICATES, parseCrl, type RevokedCertificate } from './crl.ts'
import { der, encodeDer, type DerValue } from './der.ts'
import { IdentityError } from './error.ts'
import { authorityKeyId, toExtensions, type Extension } from './extension.ts'
import { KEY_ALGORITHMS, signBytes } from './key-algorithm.ts'
import { generateKeyPair } from './key-pair.ts'
import { OID } from './oid.ts'
import { createTestAuthority } from './testing.ts'

const authority = createTestAuthority('bank.test')
const { certificate: issuer, keyPair } = authority
const thisUpdate = new Date('2026-06-01T00:00:00Z')
const nextUpdate = new Date('2026-06-02T00:00:00Z')
const template = { issuer, crlNumber: 7n, thisUpdate, nextUpdate, revoked: [] as RevokedCertificate[] }
const listOf = (revoked: readonly RevokedCertificate[]): ReturnType<typeof parseCrl> =>
  parseCrl(createCrl({ ...template, revoked }, keyPair.privateKey))

for (const algorithm of KEY_ALGORITHMS) {
  test(`${algorithm}: what is listed is read back, and the issuer’s key alone verifies it`, () => {
    const own = createTestAuthority('bank.test', { algorithm })
    const revoked = [
      { serialNumber: '8001', revokedAt: new Date('2026-05-31T00:00:00Z') },
      { serialNumber: '07', revokedAt: new Date('2051-01-01T00:00:00Z') },
    ]
    const crl = parseCrl(createCrl({ ...template, issuer: own.certificate, revoked }, own.keyPair.privateKey))
    assert.deepEqual(crl.revoked, revoked)
    assert.equal(crl.crlNumber, 7n)
    assert.deepEqual([crl.thisUpdate, crl.nextUpdate], [thisUpdate, nextUpdate])
    assert.equal(crl.authorityKeyId, own.certificate.subjectKeyId)
    assert.deepEqual(crl.issuer, own.certificate.subject)
    assert.ok(crl.isSignedWith(own.certificate.publicKey))
    assert.ok(!crl.isSignedWith(issuer.publicKey))
  })
}

test('a list of nothing, and of as many as are allowed', () => {
  assert.deepEqual(listOf([]).revoked, [])
  const many = Array.from({ length: MAX_REVOKED_CERTIFICATES }, (_, index) => ({
    serialNumber: (2n ** 127n + BigInt(index)).toString(16),
    revokedAt: thisUpdate,
  }))
  assert.equal(listOf(many).revoked.length, MAX_REVOKED_CERTIFICATES)
  assert.throws(() => listOf([...many, { serialNumber: '01', revokedAt: thisUpdate }]), { code: 'ERR_CRL' })
})

test('a certificate that is listed twice is written once', () => {
  const later = { serialNumber: '07', revokedAt: nextUpdate }
  const first = { serialNumber: '07', revokedAt: thisUpdate }
  assert.deepEqual(listOf([first, { serialNumber: '08', revokedAt: thisUpdate }, later]).revoked[0], first)
})

test('no list is made with another’s key, by an issuer that may not, with a bad number or the dates the wrong way', () => {
  const make = (changed: Partial<typeof template>, key = keyPair.privateKey): void =>
    assert.throws(() => createCrl({ ...template, ...changed }, key), { code: 'ERR_CRL' })
  make({}, generateKeyPair().privateKey)
  make({ issuer: createTestAuthority('bank.test', { keyPair, keyUsage: ['keyCertSign'] }).certificate })
  make({ crlNumber: -1n })
  make({ crlNumber: 2n ** 160n })
  make({ thisUpdate: nextUpdate, nextUpdate: thisUpdate })
})

const ECDSA_SHA256 = der.encoded(Buffer.from('300a06082a8648ce3d040302', 'hex'))
const number: Extension = { oid: OID.crlNumber, critical: false, value: Buffer.of(2, 1, 7) }
const extensionsOf = (...extensions: Extension[]): DerValue => der.wrapped(0, toExtensions(extensions))
const entry = (serial: DerValue, ...more: DerValue[]): DerValue => der.sequence(serial, der.time(thisUpdate), ...more)
const seven = der.unsigned(Buffer.of(7))

/** The fields of a good TBSCertList, in order, for a test to replace one of. */
const FIELDS = {
  version: der.unsigned(Buffer.of(1)) as DerValue | undefined,
  signature: ECDSA_SHA256,
  issuer: der.encoded(issuer.subject),
  thisUpdate: der.time(thisUpdate),
  nextUpdate: der.time(nextUpdate) as DerValue | undefined,
  revoked: der.sequence(entry(seven)) as DerValue | undefined,
  extensions: extensionsOf(authorityKeyId(issuer.subjectKeyId!), number) as DerValue | undefined,
  more: undefined as DerValue | undefined,
}

function crlOf(fields: Partial<typeof FIELDS>, algorithm = ECDSA_SHA256): Buffer {
  const signed = der.sequence(...Object.values({ ...FIELDS, ...fields }).filter((field) => field !== undefined))
  const signature = signBytes(encodeDer(signed), keyPair.privateKey.reveal())
  return encodeDer(der.sequence(signed, algorithm, der.bits(signature)))
}

test('a list put together by hand is read, so that each refusal below has one cause', () => {
  assert.equal(parseCrl(crlOf({})).revoked[0]?.serialNumber, '07')
  const withReason = der.sequence(der.sequence(der.oid('2.5.29.21'), der.octets(Buffer.of(0x0a, 1, 1))))
  assert.equal(parseCrl(crlOf({ revoked: der.sequence(entry(seven, withReason)) })).revoked.length, 1)
})

const critical = (oid: string): DerValue =>
  der.sequence(der.sequence(der.oid(oid), der.boolean(true), der.octets(Buffer.of(5, 0))))
const rsaAlgorithm = der.sequence(der.oid('1.2.840.113549.1.1.5'), der.encoded(Buffer.of(5, 0)))

const REFUSED: readonly (readonly [string, string, Buffer])[] = [
  ['nothing', 'ERR_DER', Buffer.alloc(0)],
  ['bytes after the end', 'ERR_DER', Buffer.concat([crlOf({}), Buffer.of(0)])],
  ['more than a mebibyte', 'ERR_DER', Buffer.alloc(MAX_CRL_BYTES + 1, 0x30)],
  ['a certificate', 'ERR_DER', issuer.der],
  ['version 1, which has no version (5.1.2.1)', 'ERR_DER', crlOf({ version: undefined })],
  ['version 3', 'ERR_CRL', crlOf({ version: der.unsigned(Buffer.of(2)) })],
  ['two signature algorithms (5.1.1.2)', 'ERR_CRL', crlOf({}, rsaAlgorithm)],
  ['SHA-1 with RSA', 'ERR_UNSUPPORTED_ALGORITHM', crlOf({ signature: rsaAlgorithm }, rsaAlgorithm)],
  ['no next update (5.1.2.5)', 'ERR_DER', crlOf({ nextUpdate: undefined })],
  ['an end before the beginning', 'ERR_CRL', crlOf({ nextUpdate: der.time(thisUpdate) })],
  ['an empty list instead of none (5.1.2.6)', 'ERR_CRL', crlOf({ revoked: der.sequence() })],
  ['a certificate twice', 'ERR_CRL', crlOf({ revoked: der.sequence(entry(seven), entry(seven)) })],
  [
    'a negative serial number',
    'ERR_CERTIFICATE',
    crlOf({ revoked: der.sequence(entry(der.encoded(Buffer.of(2, 1, 0x80)))) }),
  ],
  [
    'a critical extension on an entry: another’s certificate (5.3.3)',
    'ERR_CRL',
    crlOf({ revoked: der.sequence(entry(seven, critical('2.5.29.29'))) }),
  ],
  ['an entry with too many fields', 'ERR_DER', crlOf({ revoked: der.sequence(entry(seven, seven)) })],
  ['no extensions', 'ERR_DER', crlOf({ extensions: undefined })],
  ['no number (5.2.3)', 'ERR_CRL', crlOf({ extensions: extensionsOf(authorityKeyId('00')) })],
  ['a negative number', 'ERR_CRL', crlOf({ extensions: extensionsOf({ ...number, value: Buffer.of(2, 1, 0xff) }) })],
  [
    'a part of a list: an issuing distribution point (5.2.5)',
    'ERR_CRL',
    crlOf({ extensions: extensionsOf(number, { oid: '2.5.29.28', critical: true, value: Buffer.of(0x30, 0) }) }),
  ],
  [
    'a delta (5.2.4)',
    'ERR_CRL',
    crlOf({ extensions: extensionsOf(number, { oid: '2.5.29.27', critical: true, value: Buffer.of(2, 1, 1) }) }),
  ],
  ['two numbers', 'ERR_CERTIFICATE', crlOf({ extensions: extensionsOf(number, number) })],
  ['a field after the last', 'ERR_DER', crlOf({ more: der.unsigned(Buffer.of(1)) })],
]

for (const [what, code, bytes] of REFUSED) {
  test(`refuses ${what}`, () => assert.throws(() => parseCrl(bytes), { code }))
}

test('a list with any octet changed is refused, or verifies never', () => {
  const good = crlOf({})
  fc.assert(
    fc.property(fc.nat({ max: good.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const bytes = Buffer.from(good)
      bytes[at]! ^= mask
      try {
        assert.equal(parseCrl(bytes).isSignedWith(issuer.publicKey), false)
      } catch (thrown) {
        assert.ok(thrown instanceof IdentityError, String(thrown))
      }
    }),
    { numRuns: 500 },
  )
})

test('arbitrary bytes are refused with an IdentityError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => assert.throws(() => parseCrl(bytes), IdentityError)),
  )
})
