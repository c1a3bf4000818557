import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { toJwtAuthority, type JwtAuthority } from './jwk.ts'
import { createTestAuthority } from './testing.ts'
import {
  encodeJwtBundle,
  encodeOidcKeys,
  encodeTrustBundle,
  parseTrustBundle,
  type SkippedKey,
  type TrustBundle,
} from './trust-bundle.ts'
import { parseTrustDomain } from './trust-domain.ts'

const trustDomain = parseTrustDomain('bank.test')
const x509 = createTestAuthority(trustDomain)
const ec = (namedCurve: string): KeyObject => generateKeyPairSync('ec', { namedCurve }).publicKey
const rsa = (modulusLength: number): KeyObject => generateKeyPairSync('rsa', { modulusLength }).publicKey
const authorities = [ec('P-256'), ec('P-384'), ec('P-521'), rsa(2048), rsa(2304)].map((key, at) =>
  toJwtAuthority(`key-${at}`, key),
)
const bundleOf = (jwtAuthorities: readonly JwtAuthority[]): TrustBundle => ({ ...x509.bundle, jwtAuthorities })
const entry = (publicKey = authorities[0]!.publicKey): Record<string, unknown> => ({
  ...publicKey.export({ format: 'jwk' }),
  use: 'jwt-svid',
  kid: 'k',
})
const parse = (...keys: object[]): TrustBundle => parseTrustBundle(JSON.stringify({ keys }), trustDomain)
const show = ({ jwtAuthorities }: TrustBundle): unknown[] =>
  jwtAuthorities.map(({ keyId, algorithm, publicKey }) => [keyId, algorithm, publicKey.export({ format: 'jwk' })])

test('JWT authorities are written and read back, beside X.509 ones and alone', () => {
  fc.assert(
    fc.property(fc.subarray(authorities), (jwtAuthorities) => {
      const bundle = bundleOf(jwtAuthorities)
      const read = parseTrustBundle(encodeTrustBundle(bundle), trustDomain)
      assert.deepEqual(show(read), show(bundle))
      assert.equal(read.x509Authorities.length, 1)
      const alone = parseTrustBundle(Buffer.from(encodeJwtBundle(bundle)), trustDomain)
      assert.deepEqual([show(alone), alone.x509Authorities, alone.sequence], [show(bundle), [], bundle.sequence])
    }),
    { numRuns: 20 },
  )
})

test('what is written again after reading is the same document', () => {
  const json = encodeTrustBundle({ ...bundleOf(authorities), sequence: 2n ** 63n + 1n, refreshHintSeconds: 60 })
  assert.equal(encodeTrustBundle(parseTrustBundle(json, trustDomain)), json)
})

test('what is written is a JWK set by the standard: use and key ID, no certificate (rules 39, 44)', () => {
  const { keys } = JSON.parse(encodeJwtBundle(bundleOf(authorities))) as { keys: Record<string, unknown>[] }
  assert.deepEqual(
    keys.map((key) => [key['use'], key['kid'], key['kty'], Object.hasOwn(key, 'x5c'), Object.hasOwn(key, 'd')]),
    ['EC', 'EC', 'EC', 'RSA', 'RSA'].map((kty, at) => ['jwt-svid', `key-${at}`, kty, false, false]),
  )
})

test('the OpenID key set says use sig and one algorithm to each key, and knows nothing of SPIFFE', () => {
  const document = JSON.parse(encodeOidcKeys(bundleOf(authorities))) as { keys: Record<string, unknown>[] }
  assert.deepEqual(Object.keys(document), ['keys'])
  assert.deepEqual(
    document.keys.map(({ use, kid, alg }) => [use, kid, alg]),
    ['ES256', 'ES384', 'ES512', 'RS256', 'RS256'].map((alg, at) => ['sig', `key-${at}`, alg]),
  )
  assert.equal(encodeOidcKeys(bundleOf([])), '{\n  "keys": []\n}\n')
})

const flipped = (jwk: Record<string, unknown>, member: string): Record<string, unknown> => {
  const bytes = Buffer.from(jwk[member] as string, 'base64url')
  bytes[bytes.length - 1]! ^= 1
  return { ...jwk, [member]: bytes.toString('base64url') }
}
/** A key whose first coordinate begins with a zero, written as a number would be: without it. */
const shortened = (): Record<string, unknown> => {
  for (;;) {
    const jwk = entry(ec('P-256'))
    const x = Buffer.from(jwk['x'] as string, 'base64url')
    if (x[0] === 0) return { ...jwk, x: x.subarray(1).toString('base64url') }
  }
}
const rsaEntry = entry(authorities[3]!.publicKey)
const privateJwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
const SKIPPED: readonly (readonly [string, SkippedKey | undefined, object])[] = [
  ['an entry without a key ID', 'jwt-no-key-id', { ...entry(), kid: undefined }],
  ['an entry with an empty key ID', 'jwt-no-key-id', { ...entry(), kid: '' }],
  ['an entry whose key ID is a number', 'jwt-bad-key', { ...entry(), kid: 1 }],
  ['an entry whose key ID is huge', 'jwt-bad-key', { ...entry(), kid: 'k'.repeat(257) }],
  ['the curve secp256k1', 'jwt-unsupported-algorithm', entry(ec('secp256k1'))],
  ['an Ed25519 key', 'jwt-unsupported-algorithm', entry(generateKeyPairSync('ed25519').publicKey)],
  ['an ML-DSA key', 'jwt-unsupported-algorithm', entry(generateKeyPairSync('ml-dsa-44').publicKey)],
  ['a curve named like a member of every object', 'jwt-unsupported-algorithm', { ...entry(), crv: 'constructor' }],
  ['a key without a curve', 'jwt-unsupported-algorithm', { ...entry(), crv: undefined }],
  ['a point beside its curve', 'jwt-bad-key', flipped(entry(), 'x')],
  ['a coordinate that is too short', 'jwt-bad-key', { ...entry(), x: 'AAAA' }],
  ['a coordinate without its leading zero', 'jwt-bad-key', shortened()],
  ['a coordinate with padding', 'jwt-bad-key', { ...entry(), x: `${String(entry()['x'])}=` }],
  ['a coordinate that is a number', 'jwt-bad-key', { ...entry(), x: 1 }],
  ['a private key', 'jwt-bad-key', { ...privateJwk, use: 'jwt-svid', kid: 'k' }],
  ['an RSA key of 1024 bits', 'jwt-bad-key', entry(rsa(1024))],
  ['an RSA key of 9000 bits', 'jwt-bad-key', { ...rsaEntry, n: Buffer.alloc(1125, 0xff).toString('base64url') }],
  ['an RSA key without a modulus', 'jwt-bad-key', { ...rsaEntry, n: undefined }],
  ['an RSA exponent of one', 'jwt-bad-key', { ...rsaEntry, e: 'AQ' }],
  ['an even RSA exponent', 'jwt-bad-key', { ...rsaEntry, e: 'AQAA' }],
  ['an RSA exponent that makes checking slow', 'jwt-bad-key', { ...rsaEntry, e: rsaEntry['n'] }],
  ['an entry of another use (rule 47)', undefined, { ...entry(), use: 'sig' }],
  ['a use in upper case (rule 47)', undefined, { ...entry(), use: 'JWT-SVID' }],
  ['an unknown key type (rule 47)', undefined, { ...entry(), kty: 'oct' }],
]

for (const [what, reason, skipped] of SKIPPED) {
  test(`passes over ${what}, ${reason === undefined ? 'by the standard' : `and says ${reason}`}`, () => {
    const reasons: SkippedKey[] = []
    const keys = [skipped, { ...entry(), kid: 'good' }]
    const options = { onSkipped: (found: SkippedKey): void => void reasons.push(found) }
    const { jwtAuthorities } = parseTrustBundle(JSON.stringify({ keys }), trustDomain, options)
    assert.deepEqual(
      jwtAuthorities.map(({ keyId }) => keyId),
      ['good'],
    )
    assert.deepEqual(reasons, reason === undefined ? [] : [reason])
  })
}

test('an X.509 authority with an unsupported algorithm is reported too', () => {
  const der = Buffer.from(x509.certificate.der)
  der[der.indexOf(Buffer.from('2a8648ce3d030107', 'hex')) + 7] = 0x05
  const reasons: SkippedKey[] = []
  const keys = [{ use: 'x509-svid', kty: 'EC', x5c: [der.toString('base64')] }]
  parseTrustBundle(JSON.stringify({ keys }), trustDomain, { onSkipped: (reason) => void reasons.push(reason) })
  assert.deepEqual(reasons, ['x509-unsupported-algorithm'])
})

test('an X.509 entry is no JWT authority, even with a key ID, nor the other way round (rule 68)', () => {
  const certificate = { x5c: [x509.certificate.der.toString('base64')] }
  const asX509 = parse({
    ...x509.certificate.publicKey.export({ format: 'jwk' }),
    ...certificate,
    use: 'x509-svid',
    kid: 'k',
  })
  assert.deepEqual([asX509.x509Authorities.length, asX509.jwtAuthorities.length], [1, 0])
  const asJwt = parse({ ...entry(), ...certificate })
  assert.deepEqual([asJwt.x509Authorities.length, asJwt.jwtAuthorities.length], [0, 1])
})

test('one key twice is one authority; two keys under one ID refuse the document', () => {
  assert.equal(parse(entry(), entry()).jwtAuthorities.length, 1)
  assert.throws(() => parse(entry(), entry(authorities[1]!.publicKey)), { code: 'ERR_TRUST_BUNDLE' })
})

const DAMAGED = [
  ['keys twice', '{"keys": [], "keys": []}'],
  ['a sequence twice', '{"keys": [], "spiffe_sequence": 1, "spiffe_sequence": 2}'],
  ['a use twice in an entry', '{"keys": [{"use": "x", "use": "jwt-svid", "kty": "EC"}]}'],
  ['a depth of a thousand', `{"keys": [], "x": ${'['.repeat(1000)}${']'.repeat(1000)}}`],
  ['bytes that are not UTF-8', Buffer.from('{"keys": [], "\xff": 1}', 'latin1')],
  ['a byte order mark', '\ufeff{"keys": []}'],
] as const

for (const [what, json] of DAMAGED) {
  test(`refuses ${what}`, () => assert.throws(() => parseTrustBundle(json, trustDomain), { code: 'ERR_TRUST_BUNDLE' }))
}

test('arbitrary JWT entries are authorities or passed over, never an exception of another kind', () => {
  const member = fc.oneof(fc.base64String(), fc.string(), fc.integer(), fc.constant(null))
  const members = {
    kid: member,
    crv: fc.constantFrom('P-256', 'P-384', 'x'),
    x: member,
    y: member,
    n: member,
    e: member,
  }
  const entries = fc.record(
    { ...members, use: fc.constant('jwt-svid'), kty: fc.constantFrom('EC', 'RSA', 'OKP') },
    { requiredKeys: ['use', 'kty'] },
  )
  fc.assert(
    fc.property(fc.array(entries, { maxLength: 4 }), (keys) => {
      let skipped = 0
      const options = { onSkipped: (): void => void skipped++ }
      const { jwtAuthorities } = parseTrustBundle(JSON.stringify({ keys }), trustDomain, options)
      assert.equal(jwtAuthorities.length + skipped, keys.length)
    }),
    { numRuns: 300 },
  )
})
