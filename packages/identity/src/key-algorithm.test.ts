import assert from 'node:assert/strict'
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseCertificate } from './certificate.ts'
import { der, encodeDer, MAX_DER_BYTES, parseDer, type DerValue } from './der.ts'
import { IdentityError } from './error.ts'
import {
  isSignature,
  KEY_ALGORITHMS,
  keyAlgorithmOf,
  parseKeyAlgorithm,
  signatureAlgorithmOf,
} from './key-algorithm.ts'
import { generateKeyPair, generateKeyPairAsync, type KeyPair } from './key-pair.ts'
import { isMessageSignedBy, signMessage } from './message-signature.ts'
import { PublicKeyInfo, toPublicKeyInfo } from './public-key.ts'
import { readRsaModulusBits } from './rsa-key.ts'
import { createCsr, MAX_CSR_BYTES, parseCsr } from './csr.ts'
import { toSpiffeId } from './spiffe-id.ts'
import { createTestAuthority } from './testing.ts'
import { parseTrustDomain } from './trust-domain.ts'

/** Two pairs of each algorithm, made once: large RSA keys take seconds. */
const pairs = new Map<string, readonly [KeyPair, KeyPair]>()
for (const algorithm of KEY_ALGORITHMS) {
  pairs.set(algorithm, [await generateKeyPairAsync(algorithm), generateKeyPair(algorithm)])
}

test('algorithms are known by name, and an error names the choices', () => {
  for (const algorithm of KEY_ALGORITHMS) assert.equal(parseKeyAlgorithm(algorithm), algorithm)
  for (const text of ['', 'rsa', 'ml-dsa-87', 'EC-P256', 'toString']) {
    assert.throws(() => parseKeyAlgorithm(text), { code: 'ERR_UNSUPPORTED_ALGORITHM', message: /ec-p256.*ml-dsa-65/ })
  }
})

for (const algorithm of KEY_ALGORITHMS) {
  const [pair, other] = pairs.get(algorithm)!

  test(`${algorithm}: keys are of the algorithm that was asked for, made aside or not`, () => {
    for (const { algorithm: name, publicKey, privateKey } of [pair, other]) {
      assert.equal(name, algorithm)
      assert.equal(keyAlgorithmOf(publicKey), algorithm)
      assert.equal(keyAlgorithmOf(privateKey.reveal()), algorithm)
      assert.equal(toPublicKeyInfo(publicKey).algorithm, algorithm)
    }
  })

  test(`${algorithm}: a message is signed, and only its own key and bytes verify`, () => {
    const message = Buffer.from('picket test v1: what is signed')
    const signature = signMessage(message, pair.privateKey)
    const info = toPublicKeyInfo(pair.publicKey)
    assert.equal(isMessageSignedBy(info, message, signature), true)
    assert.equal(isMessageSignedBy(info, Buffer.from('picket test v1: what is sighed'), signature), false)
    assert.equal(isMessageSignedBy(toPublicKeyInfo(other.publicKey), message, signature), false)
    assert.equal(isMessageSignedBy(info, message, Buffer.alloc(0)), false)
    assert.equal(isMessageSignedBy(info, message, signature.subarray(1)), false)
    const foreign = toPublicKeyInfo(generateKeyPair('ec-p256').publicKey)
    assert.equal(isMessageSignedBy(foreign, message, signature), false)
  })

  test(`${algorithm}: the largest CSR and certificate are a long way from their bounds`, () => {
    const domain = parseTrustDomain('a'.repeat(255))
    const id = toSpiffeId(domain, `/${'b'.repeat(2048 - 9 - 255 - 1)}`)
    const csr = createCsr(pair, id)
    assert.ok(csr.length < MAX_CSR_BYTES / 1.5, `${csr.length} bytes`)
    assert.equal(parseCsr(csr).requestedId?.uri, id.uri)
    const authority = createTestAuthority(domain, { keyPair: other })
    const { chain } = authority.issueSvid(id.path, { keyPair: pair })
    assert.ok(chain[0]!.der.length < MAX_DER_BYTES / 4, `${chain[0]!.der.length} bytes`)
    assert.equal(parseCertificate(chain[0]!.der).keyAlgorithm, algorithm)
  })
}

test('no signature of one algorithm is taken for one of another', () => {
  const message = Buffer.from('x')
  for (const signer of KEY_ALGORITHMS) {
    const signature = signMessage(message, pairs.get(signer)![0].privateKey)
    for (const verifier of KEY_ALGORITHMS) {
      const { name } = signatureAlgorithmOf(verifier)
      const isGood = isSignature(signature, name, message, pairs.get(signer)![0].publicKey)
      assert.equal(isGood, name === signatureAlgorithmOf(signer).name, `${signer} as ${verifier}`)
    }
  }
})

const infoOf = (key: KeyObject): PublicKeyInfo => toPublicKeyInfo(key)

test('others’ keys are read beyond what Picket makes: RSA of other sizes and ML-DSA-87', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2560 })
  const mlDsa = generateKeyPairSync('ml-dsa-87')
  const message = Buffer.from('x')
  assert.equal(infoOf(rsa.publicKey).algorithm, 'rsa')
  assert.equal(isMessageSignedBy(infoOf(rsa.publicKey), message, sign('sha256', message, rsa.privateKey)), true)
  assert.equal(infoOf(mlDsa.publicKey).algorithm, 'ml-dsa-87')
  assert.equal(isMessageSignedBy(infoOf(mlDsa.publicKey), message, sign(null, message, mlDsa.privateKey)), true)
  for (const { privateKey } of [rsa, mlDsa]) {
    assert.throws(() => keyAlgorithmOf(privateKey), { code: 'ERR_UNSUPPORTED_ALGORITHM' })
  }
})

for (const digest of ['sha384', 'sha512'] as const) {
  test(`RSA signatures with ${digest} verify under their own name alone`, () => {
    const [{ privateKey, publicKey }] = pairs.get('rsa-2048')!
    const signature = sign(digest, Buffer.from('x'), privateKey.reveal())
    assert.equal(isSignature(signature, `rsa-${digest}`, Buffer.from('x'), publicKey), true)
    assert.equal(isSignature(signature, 'rsa-sha256', Buffer.from('x'), publicKey), false)
  })
}

const spki = (identifier: DerValue, octets: Uint8Array, ...more: DerValue[]): Buffer =>
  encodeDer(der.sequence(identifier, der.bits(octets), ...more))
const algorithm = (oid: string, ...parameters: DerValue[]): DerValue => der.sequence(der.oid(oid), ...parameters)
const nullValue = der.encoded(Buffer.of(5, 0))
const rsaOctets = toPublicKeyInfo(pairs.get('rsa-2048')![0].publicKey).der.subarray(-270)
const RSA = '1.2.840.113549.1.1.1'
const ML_DSA_44 = '2.16.840.1.101.3.4.3.17'

const REFUSED: readonly (readonly [string, string, Buffer])[] = [
  ['RSA without its NULL', 'ERR_UNSUPPORTED_ALGORITHM', spki(algorithm(RSA), rsaOctets)],
  ['RSA for PSS alone', 'ERR_UNSUPPORTED_ALGORITHM', spki(algorithm('1.2.840.113549.1.1.10', nullValue), rsaOctets)],
  ['ML-DSA with a NULL', 'ERR_UNSUPPORTED_ALGORITHM', spki(algorithm(ML_DSA_44, nullValue), Buffer.alloc(1312))],
  ['ML-DSA-44 one octet short', 'ERR_KEY', spki(algorithm(ML_DSA_44), Buffer.alloc(1311))],
  ['ML-DSA-44 with the octets of ML-DSA-65', 'ERR_KEY', spki(algorithm(ML_DSA_44), Buffer.alloc(1952))],
  ['a field too many', 'ERR_DER', spki(algorithm(RSA, nullValue), rsaOctets, nullValue)],
  [
    'a key in an octet string',
    'ERR_DER',
    encodeDer(der.sequence(algorithm(RSA, nullValue), der.octets(Buffer.concat([Buffer.of(0), rsaOctets])))),
  ],
]
for (const [what, code, bytes] of REFUSED) {
  test(`refuses a public key of ${what}`, () => assert.throws(() => new PublicKeyInfo(parseDer(bytes)), { code }))
}

/** A number of so many bits, odd unless told. */
const bits = (count: number, last = 1): Uint8Array => {
  const octets = Buffer.alloc(Math.ceil(count / 8))
  octets[0] = 1 << ((count - 1) % 8)
  octets[octets.length - 1]! |= last
  return octets
}
const F4 = Buffer.of(1, 0, 1)
const rsaKey = (modulus: DerValue, exponent: DerValue, ...more: DerValue[]): Buffer =>
  encodeDer(der.sequence(modulus, exponent, ...more))

test('an RSA modulus has 2048 to 8192 bits, an exponent 65 537 to 32 bits', () => {
  for (const size of [2048, 2049, 3072, 4096, 8192]) {
    assert.equal(readRsaModulusBits(rsaKey(der.unsigned(bits(size)), der.unsigned(F4))), size)
  }
  assert.equal(readRsaModulusBits(rsaKey(der.unsigned(bits(2048)), der.unsigned(bits(32)))), 2048)
})

const good = der.unsigned(bits(2048))
const REFUSED_RSA: readonly (readonly [string, string, Buffer])[] = [
  ['nothing', 'ERR_DER', Buffer.alloc(0)],
  ['2047 bits', 'ERR_KEY', rsaKey(der.unsigned(bits(2047)), der.unsigned(F4))],
  ['8193 bits', 'ERR_KEY', rsaKey(der.unsigned(bits(8193)), der.unsigned(F4))],
  ['an even modulus', 'ERR_KEY', rsaKey(der.unsigned(bits(2048, 0)), der.unsigned(F4))],
  ['a negative modulus', 'ERR_KEY', rsaKey(der.encoded(Buffer.of(2, 1, 0x81)), der.unsigned(F4))],
  ['a modulus of zero', 'ERR_KEY', rsaKey(der.unsigned(Buffer.of(0)), der.unsigned(F4))],
  ['the exponent 3', 'ERR_KEY', rsaKey(good, der.unsigned(Buffer.of(3)))],
  ['the exponent 1', 'ERR_KEY', rsaKey(good, der.unsigned(Buffer.of(1)))],
  ['an even exponent', 'ERR_KEY', rsaKey(good, der.unsigned(Buffer.of(1, 0, 2)))],
  ['a negative exponent', 'ERR_KEY', rsaKey(good, der.encoded(Buffer.of(2, 1, 0xff)))],
  ['an exponent of 33 bits', 'ERR_KEY', rsaKey(good, der.unsigned(bits(33)))],
  ['an exponent as long as the modulus', 'ERR_KEY', rsaKey(good, der.unsigned(bits(2048)))],
  ['a third number', 'ERR_DER', rsaKey(good, der.unsigned(F4), good)],
  ['bytes after the key', 'ERR_DER', Buffer.concat([rsaKey(good, der.unsigned(F4)), Buffer.of(0)])],
]
for (const [what, code, bytes] of REFUSED_RSA) {
  test(`refuses an RSA key with ${what}`, () => assert.throws(() => readRsaModulusBits(bytes), { code }))
}

test('arbitrary key octets are read or refused with an IdentityError, and never crash when used', () => {
  const identifiers = [...pairs.values()].map(
    ([{ publicKey }]) => parseDer(toPublicKeyInfo(publicKey).der).children[0]!.der,
  )
  fc.assert(
    fc.property(fc.constantFrom(...identifiers), fc.uint8Array({ maxLength: 100 }), (identifier, octets) => {
      try {
        void new PublicKeyInfo(parseDer(spki(der.encoded(identifier), octets))).key
      } catch (thrown) {
        assert.ok(thrown instanceof IdentityError, String(thrown))
      }
    }),
  )
})
