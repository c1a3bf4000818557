import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeBundleMap, parseBundleMap } from './bundle-map.ts'
import { IdentityError } from './error.ts'
import { toJwtAuthority } from './jwk.ts'
import { createTestAuthority } from './testing.ts'
import { encodeTrustBundle, type TrustBundle } from './trust-bundle.ts'

const jwt = toJwtAuthority('k', generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey)
const bundles: TrustBundle[] = ['bank.test', 'partner.test', '10.0.0.1', '_'].map((name, at) => ({
  ...createTestAuthority(name).bundle,
  jwtAuthorities: at % 2 === 0 ? [jwt] : [],
  sequence: 2n ** 60n + BigInt(at),
  refreshHintSeconds: at,
}))
const texts = (read: readonly TrustBundle[]): unknown[] =>
  read.map((bundle) => [bundle.trustDomain.name, encodeTrustBundle(bundle)])

test('is written and read back, every bundle with its own name, sequence and hint', () => {
  fc.assert(
    fc.property(fc.subarray(bundles), (some) => {
      const json = encodeBundleMap(some)
      assert.deepEqual(texts(parseBundleMap(json)), texts(some))
      assert.deepEqual(texts(parseBundleMap(Buffer.from(json))), texts(some))
      assert.deepEqual(Object.keys(JSON.parse(json) as object), ['trust_domains'])
    }),
    { numRuns: 16 },
  )
})

test('two bundles for one trust domain are not written', () => {
  assert.throws(() => encodeBundleMap([bundles[0]!, bundles[0]!]), { code: 'ERR_TRUST_BUNDLE' })
})

test('members that are not known are passed over', () => {
  const json = '{"future": 1, "trust_domains": {"a.test": {"keys": [], "future": 1}}}'
  assert.deepEqual(
    parseBundleMap(json).map(({ trustDomain }) => trustDomain.id),
    ['spiffe://a.test'],
  )
})

const REFUSED = [
  ['nothing', ''],
  ['a bundle that is no map', '{"keys": []}'],
  ['a list', '[]'],
  ['trust domains that are a list', '{"trust_domains": []}'],
  [
    'a trust domain that is there twice (rule 50)',
    '{"trust_domains": {"a.test": {"keys": []}, "a.test": {"keys": []}}}',
  ],
  ['the same behind an escape', '{"trust_domains": {"a.test": {"keys": []}, "\\u0061.test": {"keys": []}}}'],
  ['two maps in one', '{"trust_domains": {}, "trust_domains": {}}'],
  ['a name in upper case', '{"trust_domains": {"A.test": {"keys": []}}}'],
  ['a name that is a SPIFFE ID', '{"trust_domains": {"spiffe://a.test": {"keys": []}}}'],
  ['an empty name', '{"trust_domains": {"": {"keys": []}}}'],
  ['a name of every object', '{"trust_domains": {"__proto__": {"keys": 1}}}'],
  ['one bundle of two that does not read', '{"trust_domains": {"a.test": {"keys": []}, "b.test": {"keys": 1}}}'],
] as const

for (const [what, json] of REFUSED) {
  test(`refuses ${what}, as a whole`, () => assert.throws(() => parseBundleMap(json), { code: 'ERR_TRUST_BUNDLE' }))
}

test('skipped keys of all its bundles are reported', () => {
  let skipped = 0
  const entry = '{"use": "jwt-svid", "kty": "EC"}'
  const json = `{"trust_domains": {"a.test": {"keys": [${entry}]}, "b.test": {"keys": [${entry}, ${entry}]}}}`
  parseBundleMap(json, { onSkipped: () => void skipped++ })
  assert.equal(skipped, 3)
})

test('arbitrary JSON is a map or ERR_TRUST_BUNDLE, nothing else', () => {
  const maps = fc
    .dictionary(fc.string({ maxLength: 5 }), fc.oneof(fc.jsonValue(), fc.constant({ keys: [] })))
    .map((value) => JSON.stringify({ trust_domains: value }))
  fc.assert(
    fc.property(fc.oneof(maps, fc.json()), (json) => {
      try {
        for (const bundle of parseBundleMap(json)) assert.deepEqual(bundle.x509Authorities, [])
      } catch (thrown) {
        assert.ok(thrown instanceof IdentityError && thrown.code === 'ERR_TRUST_BUNDLE', String(thrown))
      }
    }),
    { numRuns: 300 },
  )
})
