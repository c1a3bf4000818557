import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { inspect } from 'node:util'
import { test } from 'node:test'
import fc from 'fast-check'
import { IdentityError } from './error.ts'
import { isSignature, KEY_ALGORITHMS, signBytes } from './key-algorithm.ts'
import { encodePrivateKeyPem, generateKeyPair, parsePrivateKeyPem, toKeyPair } from './key-pair.ts'
import { toPublicKeyInfo } from './public-key.ts'

for (const algorithm of KEY_ALGORITHMS) {
  test(`${algorithm}: a private key is written and read back with its public key`, () => {
    const pair = generateKeyPair(algorithm)
    const again = toKeyPair(parsePrivateKeyPem(encodePrivateKeyPem(pair.privateKey)))
    assert.equal(again.algorithm, algorithm)
    assert.ok(again.publicKey.equals(pair.publicKey))
  })
}

test('a signature algorithm of another kind of key never verifies', () => {
  const { privateKey, publicKey } = generateKeyPair('ed25519')
  const bytes = Buffer.from('x')
  assert.equal(isSignature(signBytes(bytes, privateKey.reveal()), 'ecdsa-sha256', bytes, publicKey), false)
})

test('P-256 is the default', () => assert.equal(generateKeyPair().algorithm, 'ec-p256'))

test('a key pair shows no private key when printed or serialised', () => {
  const pair = generateKeyPair()
  assert.match(inspect(pair), /privateKey: \[redacted\]/)
  assert.equal((JSON.parse(JSON.stringify(pair)) as { privateKey: unknown }).privateKey, '[redacted]')
})

const pemOf = (type: 'rsa' | 'p521' | 'x25519'): string => {
  const pair =
    type === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 1024 })
      : type === 'p521'
        ? generateKeyPairSync('ec', { namedCurve: 'P-521' })
        : generateKeyPairSync('x25519')
  return pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

for (const type of ['rsa', 'p521', 'x25519'] as const) {
  test(`refuses a private key of a foreign algorithm: ${type}`, () =>
    assert.throws(() => parsePrivateKeyPem(pemOf(type)), { code: 'ERR_UNSUPPORTED_ALGORITHM' }))
}

test('reads the older SEC 1 form that openssl ecparam writes', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  assert.ok(parsePrivateKeyPem(privateKey.export({ type: 'sec1', format: 'pem' }).toString()))
})

test('says that an encrypted key must be given decrypted', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' }).toString()
  assert.throws(() => parsePrivateKeyPem(pem), { code: 'ERR_KEY', message: /passphrase/ })
})

test('arbitrary text is no private key, and the error repeats none of it', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 6 }), (text) => {
      assert.throws(
        () => parsePrivateKeyPem(`-----BEGIN PRIVATE KEY-----\n${text}\n-----END PRIVATE KEY-----\n`),
        (thrown) => thrown instanceof IdentityError && thrown.code === 'ERR_KEY' && thrown.cause === undefined,
      )
    }),
  )
})

test('the key identifier is the first 160 bits of SHA-256 over the key', () => {
  const info = toPublicKeyInfo(generateKeyPair().publicKey)
  assert.match(info.keyId, /^[0-9a-f]{40}$/)
  assert.notEqual(info.keyId, toPublicKeyInfo(generateKeyPair().publicKey).keyId)
})
