import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { IdentityError } from './error.ts'
import { createBundleSource } from './source.ts'
import { createTestAuthority } from './testing.ts'
import {
  encodeTrustBundle,
  encodeTrustBundlePem,
  parseTrustBundle,
  parseTrustBundlePem,
  type TrustBundle,
} from './trust-bundle.ts'
import { parseTrustDomain } from './trust-domain.ts'

const trustDomain = parseTrustDomain('bank.test')
const authorities = (['ec-p256', 'ec-p384', 'ed25519'] as const).map(
  (algorithm) => createTestAuthority(trustDomain, { algorithm }).certificate,
)
const [first, second] = authorities
const fingerprints = ({ x509Authorities }: TrustBundle): string[] =>
  x509Authorities.map(({ fingerprintSha256 }) => fingerprintSha256)
const parse = (document: unknown): TrustBundle => parseTrustBundle(JSON.stringify(document), trustDomain)
const entry = (certificate = first!) => ({
  use: 'x509-svid',
  kty: 'EC',
  x5c: [certificate.der.toString('base64')],
})

test('is written and read back, sequence and hint exact', () => {
  const sequences = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.constant(2n ** 53n + 1n))
  const hints = fc.option(fc.nat(), { nil: undefined })
  fc.assert(
    fc.property(fc.subarray(authorities), sequences, hints, (x509Authorities, sequence, refreshHintSeconds) => {
      const bundle = { trustDomain, x509Authorities, jwtAuthorities: [], sequence, refreshHintSeconds }
      const read = parseTrustBundle(encodeTrustBundle(bundle), trustDomain)
      assert.deepEqual(fingerprints(read), fingerprints(bundle))
      assert.deepEqual([read.sequence, read.refreshHintSeconds], [sequence, refreshHintSeconds])
      assert.equal(read.trustDomain, trustDomain)
    }),
    { numRuns: 30 },
  )
})

test('what is written is a JWK set by the standard (rules 28, 44)', () => {
  const bundle = { trustDomain, x509Authorities: [first!], jwtAuthorities: [], sequence: 7n, refreshHintSeconds: 300 }
  const document = JSON.parse(encodeTrustBundle(bundle)) as { keys: Record<string, unknown>[] }
  assert.deepEqual(Object.keys(document), ['keys', 'spiffe_sequence', 'spiffe_refresh_hint'])
  const { use, kty, crv, kid, x5c } = document.keys[0]!
  assert.deepEqual([use, kty, crv, kid, x5c], ['x509-svid', 'EC', 'P-256', undefined, [first!.der.toString('base64')]])
})

test('no keys is a bundle that trusts nobody (rule 48)', () => {
  assert.deepEqual(parse({ keys: [] }).x509Authorities, [])
})

test('1024 keys are read, more than any trust domain has', () => {
  const keys = [entry(), ...Array.from({ length: 1023 }, () => ({ use: 'x' }))]
  assert.equal(parse({ keys }).x509Authorities.length, 1)
})

test('sequence and hint may be left out', () => {
  const { sequence, refreshHintSeconds } = parse({ keys: [entry()] })
  assert.deepEqual([sequence, refreshHintSeconds], [0n, undefined])
})

const IGNORED = [
  ['an entry without a use (rule 47)', { ...entry(), use: undefined }],
  ['an entry of another use (rule 47)', { ...entry(), use: 'wit-svid' }],
  ['a use in upper case (rule 47)', { ...entry(), use: 'X509-SVID' }],
  ['a JWT authority', { kty: 'EC', use: 'jwt-svid', kid: 'a', crv: 'P-256', x: 'AA', y: 'AA' }],
  ['an entry without a key type (rule 47)', { ...entry(), kty: undefined }],
  ['an entry of an unknown key type (rule 47)', { ...entry(), kty: 'FUTURE' }],
  ['an entry without a certificate (rule 29)', { ...entry(), x5c: undefined }],
  ['an entry with an empty list of certificates (rule 29)', { ...entry(), x5c: [] }],
] as const

for (const [what, ignored] of IGNORED) {
  test(`ignores ${what}`, () => {
    assert.deepEqual(fingerprints(parse({ keys: [ignored, entry(second)] })), [second!.fingerprintSha256])
  })
}

test('takes only the first certificate of an entry (rule 29)', () => {
  const both = { ...entry(), x5c: [first!.der.toString('base64'), 'not even base64'] }
  assert.deepEqual(fingerprints(parse({ keys: [both] })), [first!.fingerprintSha256])
})

test('unknown members are allowed, at the top and in entries (rule 47)', () => {
  assert.equal(parse({ keys: [{ ...entry(), future: 1 }], future: { a: [] } }).x509Authorities.length, 1)
})

test('an authority whose algorithm is not supported here is passed over', () => {
  const foreign = Buffer.from(first!.der)
  const at = foreign.indexOf(Buffer.from('2a8648ce3d030107', 'hex'))
  foreign[at + 7] = 0x05
  const unsupported = { ...entry(), x5c: [foreign.toString('base64')] }
  assert.deepEqual(fingerprints(parse({ keys: [unsupported, entry(second)] })), [second!.fingerprintSha256])
})

/** The first one, its point moved off the curve. */
function offItsCurve(): string {
  const bytes = Buffer.from(first!.der)
  const spki = first!.publicKeyInfo.der
  bytes[bytes.indexOf(spki) + spki.length - 1]! ^= 1
  return bytes.toString('base64')
}

const jwk = second!.publicKey.export({ format: 'jwk' })
const REFUSED = [
  ['nothing', ''],
  ['text that is not JSON', '{"keys": ['],
  ['an array', '[]'],
  ['null', 'null'],
  ['no keys member', '{}'],
  ['keys that are no array', '{"keys": {}}'],
  ['an entry that is no object', '{"keys": ["x"]}'],
  ['an x5c that is no list', JSON.stringify({ keys: [{ ...entry(), x5c: 'AA' }] })],
  ['an x5c of numbers', JSON.stringify({ keys: [{ ...entry(), x5c: [1] }] })],
  ['an x5c that is not base64', JSON.stringify({ keys: [{ ...entry(), x5c: ['%'] }] })],
  ['an x5c in the URL alphabet', JSON.stringify({ keys: [{ ...entry(), x5c: ['_-_-'] }] })],
  ['an x5c that is no certificate', JSON.stringify({ keys: [{ ...entry(), x5c: ['AAAA'] }] })],
  ['an x5c with line breaks', JSON.stringify({ keys: [{ ...entry(), x5c: [`${entry().x5c[0]!}\n`] }] })],
  ['an x5c whose key is no point on its curve', JSON.stringify({ keys: [{ ...entry(), x5c: [offItsCurve()] }] })],
  ['a key that is not that of its certificate', JSON.stringify({ keys: [{ ...entry(), x: jwk['x'], y: jwk['y'] }] })],
  ['a fraction as its sequence', '{"keys": [], "spiffe_sequence": 1.5}'],
  ['an exponent as its sequence', '{"keys": [], "spiffe_sequence": 1e3}'],
  ['a negative sequence', '{"keys": [], "spiffe_sequence": -1}'],
  ['text as its sequence', '{"keys": [], "spiffe_sequence": "1"}'],
  ['a negative hint', '{"keys": [], "spiffe_refresh_hint": -1}'],
  ['1025 keys, whatever they are for', JSON.stringify({ keys: Array.from({ length: 1025 }, () => ({ use: 'x' })) })],
  ['more than 4 MiB', `{"keys": [], "x": "${'a'.repeat(4 * 1024 * 1024)}"}`],
] as const

for (const [what, json] of REFUSED) {
  test(`refuses ${what}`, () => assert.throws(() => parseTrustBundle(json, trustDomain), { code: 'ERR_TRUST_BUNDLE' }))
}

test('arbitrary JSON is a bundle or ERR_TRUST_BUNDLE, nothing else', () => {
  const nearly = fc.record(
    {
      use: fc.constantFrom('x509-svid', 'x'),
      kty: fc.constantFrom('EC', 'x'),
      x5c: fc.oneof(fc.json(), fc.array(fc.base64String())),
    },
    { requiredKeys: [] },
  )
  const document = fc.oneof(
    fc.json(),
    fc
      .record({ keys: fc.array(nearly), spiffe_sequence: fc.oneof(fc.integer(), fc.string()) })
      .map((value) => JSON.stringify(value)),
  )
  fc.assert(
    fc.property(fc.oneof(document, fc.string()), (json) => {
      try {
        assert.deepEqual(parseTrustBundle(json, trustDomain).x509Authorities, [])
      } catch (thrown) {
        assert.ok(thrown instanceof IdentityError && thrown.code === 'ERR_TRUST_BUNDLE', String(thrown))
      }
    }),
    { numRuns: 500 },
  )
})

test('PEM: is written and read back, and an empty file is refused', () => {
  const bundle = { trustDomain, x509Authorities: authorities, jwtAuthorities: [], sequence: 9n, refreshHintSeconds: 1 }
  assert.deepEqual(fingerprints(parseTrustBundlePem(encodeTrustBundlePem(bundle), trustDomain)), fingerprints(bundle))
  assert.throws(() => parseTrustBundlePem('', trustDomain), { code: 'ERR_PEM' })
})

test('a source finds a bundle by the name of its trust domain, and never merges two (rule 49)', () => {
  const ours = createTestAuthority('bank.test').bundle
  const theirs = createTestAuthority('partner.test').bundle
  const source = createBundleSource([ours, theirs])
  assert.equal(source.bundleFor(parseTrustDomain('bank.test')), ours)
  assert.equal(source.bundleFor(parseTrustDomain('elsewhere.test')), undefined)
  assert.deepEqual(source.bundles, [ours, theirs])
  assert.throws(() => createBundleSource([ours, createTestAuthority('bank.test').bundle]), { code: 'ERR_TRUST_BUNDLE' })
})
