import assert from 'node:assert/strict'
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { createCsr, MAX_CSR_BYTES, parseCsr } from './csr.ts'
import { der, encodeDer, type DerValue } from './der.ts'
import { EMPTY_NAME } from './distinguished-name.ts'
import { IdentityError } from './error.ts'
import { subjectAltName, toExtensions } from './extension.ts'
import { KEY_ALGORITHMS, signBytes } from './key-algorithm.ts'
import { generateKeyPair } from './key-pair.ts'
import { OID } from './oid.ts'
import { toPublicKeyInfo } from './public-key.ts'
import { parseSpiffeId } from './spiffe-id.ts'

const id = parseSpiffeId('spiffe://bank.test/payments')
const keyPair = generateKeyPair()
const ECDSA_SHA256 = der.encoded(Buffer.from('300a06082a8648ce3d040302', 'hex'))

const attribute = (oid: string, ...values: DerValue[]): DerValue => der.sequence(der.oid(oid), der.set(...values))
const requestFor = (uris: readonly string[]): DerValue =>
  attribute(OID.extensionRequest, toExtensions([subjectAltName({ uris }, true)]))

/** The fields of a good CertificationRequestInfo, in order, for a test to replace one of. */
const FIELDS = {
  version: der.unsigned(Buffer.of(0)),
  subject: der.encoded(EMPTY_NAME),
  publicKeyInfo: der.encoded(toPublicKeyInfo(keyPair.publicKey).der),
  attributes: der.wrapped(0) as DerValue | undefined,
}

function csrOf(fields: Partial<typeof FIELDS>, algorithm = ECDSA_SHA256, signer = keyPair): Buffer {
  const signed = der.sequence(...Object.values({ ...FIELDS, ...fields }).filter((field) => field !== undefined))
  return encodeDer(der.sequence(signed, algorithm, der.bits(signBytes(encodeDer(signed), signer.privateKey.reveal()))))
}

for (const algorithm of KEY_ALGORITHMS) {
  test(`${algorithm}: what is asked for is read back, with the key`, () => {
    const pair = generateKeyPair(algorithm)
    const bytes = createCsr(pair, id)
    const csr = parseCsr(bytes)
    assert.deepEqual(csr.requestedId, id)
    assert.deepEqual(csr.der, bytes)
    assert.ok(csr.publicKey.equals(pair.publicKey))
  })
}

test('a request may leave the identity to the authority', () => {
  assert.equal(parseCsr(createCsr(keyPair)).requestedId, undefined)
  assert.equal(parseCsr(csrOf({})).requestedId, undefined)
})

test('subject, other attributes and other extensions are passed over', () => {
  const extensions = toExtensions([
    { oid: '1.2.3', critical: true, value: Buffer.of(5, 0) },
    subjectAltName({ uris: [id.uri], dnsNames: ['a.test'] }, false),
  ])
  const attributes = der.wrapped(
    0,
    attribute('1.2.840.113549.1.9.7', der.utf8('x')),
    attribute(OID.extensionRequest, extensions),
  )
  assert.deepEqual(parseCsr(csrOf({ attributes })).requestedId, id)
})

/** A request with keys of any kind, signed as `openssl req` does. */
function foreignCsr(
  { publicKey, privateKey }: { publicKey: KeyObject; privateKey: KeyObject },
  digest: string,
): Buffer {
  const spki = der.encoded(publicKey.export({ type: 'spki', format: 'der' }))
  const info = der.sequence(FIELDS.version, FIELDS.subject, spki, der.wrapped(0))
  const algorithm = der.sequence(der.oid('1.2.840.113549.1.1.11'), der.encoded(Buffer.of(5, 0)))
  return encodeDer(der.sequence(info, algorithm, der.bits(sign(digest, encodeDer(info), privateKey))))
}

const offCurve = Buffer.from(toPublicKeyInfo(keyPair.publicKey).der)
offCurve[offCurve.length - 1]! ^= 1

const REFUSED: readonly (readonly [string, string, Buffer])[] = [
  ['nothing', 'ERR_DER', Buffer.alloc(0)],
  ['another structure', 'ERR_DER', encodeDer(der.sequence())],
  ['more than 16 KiB', 'ERR_DER', csrOf({ subject: der.sequence(der.octets(Buffer.alloc(MAX_CSR_BYTES))) })],
  ['bytes after the end', 'ERR_DER', Buffer.concat([createCsr(keyPair, id), Buffer.of(0)])],
  ['version 2 (RFC 2986 4.1)', 'ERR_CSR', csrOf({ version: der.unsigned(Buffer.of(1)) })],
  ['no attributes field (RFC 2986 4.1)', 'ERR_DER', csrOf({ attributes: undefined })],
  [
    'a key of P-521',
    'ERR_UNSUPPORTED_ALGORITHM',
    foreignCsr(generateKeyPairSync('ec', { namedCurve: 'P-521' }), 'sha512'),
  ],
  ['an RSA key of 1024 bits', 'ERR_KEY', foreignCsr(generateKeyPairSync('rsa', { modulusLength: 1024 }), 'sha256')],
  [
    'an RSA key with the exponent 3',
    'ERR_KEY',
    foreignCsr(generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }), 'sha256'),
  ],
  ['a point off its curve (RFC 5480 2.2)', 'ERR_KEY', csrOf({ publicKeyInfo: der.encoded(offCurve) })],
  ['a signature by another key (RFC 2986 4.2)', 'ERR_CSR_PROOF', csrOf({}, ECDSA_SHA256, generateKeyPair())],
  [
    'a signature algorithm of another kind of key',
    'ERR_CSR_PROOF',
    csrOf({}, der.encoded(Buffer.from('300506032b6570', 'hex'))),
  ],
  [
    'a digest that was not signed',
    'ERR_CSR_PROOF',
    csrOf({}, der.encoded(Buffer.from('300a06082a8648ce3d040303', 'hex'))),
  ],
  ['two URI names (rule 14)', 'ERR_CSR', csrOf({ attributes: der.wrapped(0, requestFor([id.uri, id.uri])) })],
  [
    'a URI that is no SPIFFE ID (rules 1-10)',
    'ERR_CSR',
    csrOf({ attributes: der.wrapped(0, requestFor(['https://bank.test/'])) }),
  ],
  [
    'two extension requests (RFC 2985 5.4.2)',
    'ERR_CSR',
    csrOf({ attributes: der.wrapped(0, requestFor([id.uri]), requestFor([id.uri])) }),
  ],
  [
    'an extension request of the wrong type (RFC 2985 5.4.2)',
    'ERR_CSR',
    csrOf({ attributes: der.wrapped(0, attribute(OID.extensionRequest, der.utf8('x'))) }),
  ],
  [
    '10 000 alternative names',
    'ERR_DER',
    csrOf({ attributes: der.wrapped(0, requestFor(Array.from({ length: 10_000 }, () => id.uri))) }),
  ],
  [
    '101 alternative names',
    'ERR_CERTIFICATE',
    csrOf({ attributes: der.wrapped(0, requestFor(Array.from({ length: 101 }, () => 'a'))) }),
  ],
]

for (const [what, code, bytes] of REFUSED) {
  test(`refuses ${what}`, () => assert.throws(() => parseCsr(bytes), { code }))
}

test('a request with any octet changed is refused', () => {
  const good = createCsr(keyPair, id)
  fc.assert(
    fc.property(fc.nat({ max: good.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const bytes = Buffer.from(good)
      bytes[at]! ^= mask
      assert.throws(() => parseCsr(bytes), IdentityError)
    }),
    { numRuns: 1000 },
  )
})

test('arbitrary bytes are refused with an IdentityError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => assert.throws(() => parseCsr(bytes), IdentityError)),
  )
})

test('every ID can be asked for', () => {
  const path = fc.array(fc.stringMatching(/^[a-z0-9]{1,10}$/), { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(path, (segments) => {
      const asked = parseSpiffeId(`spiffe://bank.test/${segments.join('/')}`)
      assert.deepEqual(parseCsr(createCsr(keyPair, asked)).requestedId, asked)
    }),
    { numRuns: 50 },
  )
})
