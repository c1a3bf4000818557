import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { toJwtAuthority, type JwtAuthority } from './jwk.ts'
import { createJwtSvid, JWT_LEEWAY_MS, verifyJwtSvid, type JwtSvidOptions } from './jwt-svid.ts'
import { generateKeyPair } from './key-pair.ts'
import { createRevocationList, NO_REVOCATIONS } from './revocation.ts'
import { createBundleSource } from './source.ts'
import { parseSpiffeId } from './spiffe-id.ts'
import {
  authorityOf,
  bundle,
  bundles,
  claims,
  ecdsa,
  forgeToken,
  header,
  id,
  keys,
  NINE,
  now,
  p256,
  partner,
  rsa,
  seconds,
  without,
} from './testing-jwt-svid.ts'

const verify = (token: string, options?: JwtSvidOptions): ReturnType<typeof verifyJwtSvid> =>
  verifyJwtSvid(token, bundles, 'ledger', now, options)

test('a token is made and verified, and says who, for whom and until when', () => {
  for (const algorithm of ['ec-p256', 'ec-p384', 'rsa-2048'] as const) {
    const { privateKey, publicKey } = generateKeyPair(algorithm)
    const made = { id, audience: ['ledger', 'audit'], issuedAt: now, expiresAt: new Date(now.getTime() + 300_999) }
    const token = createJwtSvid({ ...made, issuer: 'https://id.bank.test' }, { keyId: 'k1', privateKey })
    const source = createBundleSource([{ ...bundle, jwtAuthorities: [toJwtAuthority('k1', publicKey)] }])
    const verdict = verifyJwtSvid(token, source, 'audit', now)
    assert.ok(verdict.kind === 'verified')
    assert.deepEqual([verdict.id.uri, verdict.audience, verdict.keyId], [id.uri, made.audience, 'k1'])
    assert.deepEqual(verdict.expiresAt, new Date(now.getTime() + 300_000))
    assert.deepEqual(verdict.claims, { ...claims, aud: made.audience, iss: 'https://id.bank.test' })
  }
})

test('what is made has alg, kid and typ alone in its header (rule 33), and no claim beyond those asked for', () => {
  const { privateKey } = generateKeyPair('ec-p384')
  const expiresAt = new Date(now.getTime() + 1000)
  const token = createJwtSvid({ id, audience: ['a'], issuedAt: now, expiresAt }, { keyId: 'k', privateKey })
  const [head, body] = token
    .split('.', 2)
    .map((text) => JSON.parse(Buffer.from(text, 'base64url').toString()) as object)
  assert.deepEqual(head, { alg: 'ES384', kid: 'k', typ: 'JWT' })
  assert.deepEqual(body, { sub: id.uri, aud: ['a'], exp: seconds + 1, iat: seconds })
})

test('nothing is made that a verifier would refuse', () => {
  const good = { id, audience: ['a'], issuedAt: now, expiresAt: new Date(now.getTime() + 1000) }
  const key = { keyId: 'k', privateKey: generateKeyPair().privateKey }
  const wrong = [
    [{ ...good, audience: [] }, key],
    [{ ...good, audience: ['a', ''] }, key],
    [{ ...good, audience: ['a'.repeat(16_384)] }, key],
    [{ ...good, expiresAt: now }, key],
    [{ ...good, expiresAt: new Date(now.getTime() + 999) }, key],
    [{ ...good, expiresAt: new Date(NaN) }, key],
    [{ ...good, id: parseSpiffeId('spiffe://bank.test') }, key],
    [good, { ...key, keyId: '' }],
    [good, { ...key, privateKey: generateKeyPair('ed25519').privateKey }],
  ] as const
  for (const [template, signer] of wrong) {
    assert.throws(() => createJwtSvid(template, signer), { code: 'ERR_JWT_SVID' })
  }
})

for (const [alg, kid, signer] of NINE) {
  test(`accepts ${alg}, and its signature under no other of the nine (rule 31)`, () => {
    assert.equal(verify(forgeToken({ alg, kid, typ: 'JWT' }, claims, signer)).kind, 'verified')
    for (const [other] of NINE.filter(([name]) => name !== alg)) {
      const verdict = verify(forgeToken({ alg: other, kid }, claims, signer))
      assert.ok(verdict.kind === 'refused' && ['wrong-key', 'bad-signature'].includes(verdict.code), other)
    }
  })
}

const ACCEPTED: readonly (readonly [string, object, object])[] = [
  ['a header without a type (rule 32)', without(header, 'typ'), claims],
  ['the type JOSE (rule 32)', { ...header, typ: 'JOSE' }, claims],
  ['an audience that is one text', header, { ...claims, aud: 'ledger' }],
  ['one audience of several', header, { ...claims, aud: ['a', 'ledger'] }],
  ['a token without an instant of issue', header, without(claims, 'iat')],
  ['an issue in the future, of which RFC 7519 says nothing', header, { ...claims, iat: seconds + 9999 }],
  ['instants with fractions', header, { ...claims, exp: seconds + 0.5, nbf: seconds - 0.5 }],
  ['claims of others', header, { ...claims, jti: 'x', roles: [{ a: 1 }] }],
  ['another trust domain by its own key', { ...header, kid: 'foreign' }, { ...claims, sub: 'spiffe://partner.test/x' }],
]

for (const [what, head, body] of ACCEPTED) {
  test(`accepts ${what}`, () => {
    const key = (head as typeof header).kid === 'foreign' ? keys.foreign : keys.p256
    assert.equal(verify(forgeToken(head, body, ecdsa(key.privateKey))).kind, 'verified')
  })
}

const good = forgeToken(header, claims, p256)
const [goodHeader, goodClaims] = good.split('.') as [string, string]

test('the leeway ends exactly: at its last millisecond a token is good, then no more', () => {
  for (const leewayMs of [0, 1000, JWT_LEEWAY_MS]) {
    const token = forgeToken(header, { ...claims, exp: seconds, nbf: seconds }, p256)
    const at = (ms: number): string => {
      const verdict = verifyJwtSvid(token, bundles, 'ledger', new Date(now.getTime() + ms), { leewayMs })
      return verdict.kind === 'refused' ? verdict.code : verdict.kind
    }
    assert.equal(at(leewayMs), 'expired')
    assert.equal(at(leewayMs - 1), leewayMs === 0 ? 'not-yet-valid' : 'verified')
    assert.equal(at(-leewayMs - 1), 'not-yet-valid')
    assert.equal(at(-leewayMs), leewayMs === 0 ? 'expired' : 'verified')
  }
  assert.equal(verify(forgeToken(header, { ...claims, exp: seconds - 59 }, p256)).kind, 'verified')
})

test('without a key ID: only when allowed, and only when exactly one key would do (rule 34)', () => {
  const token = forgeToken(without(header, 'kid'), claims, p256)
  const verdict = verify(token, { allowMissingKeyId: true })
  assert.ok(verdict.kind === 'verified' && verdict.keyId === undefined)
  const second = { ...bundle, jwtAuthorities: [...bundle.jwtAuthorities, authorityOf('foreign')] }
  const ambiguous = verifyJwtSvid(token, createBundleSource([second]), 'ledger', now, { allowMissingKeyId: true })
  assert.ok(ambiguous.kind === 'refused' && ambiguous.code === 'ambiguous-key')
  const none = { ...bundle, jwtAuthorities: [authorityOf('rsa')] }
  const nobody = verifyJwtSvid(token, createBundleSource([none]), 'ledger', now, { allowMissingKeyId: true })
  assert.ok(nobody.kind === 'refused' && nobody.code === 'ambiguous-key')
})

test('an RSA key below 2048 bits verifies nothing, wherever it came from', () => {
  const small = generateKeyPairSync('rsa', { modulusLength: 1024 })
  assert.throws(() => toJwtAuthority('small', small.publicKey), { code: 'ERR_KEY' })
  const authority: JwtAuthority = { keyId: 'small', publicKey: small.publicKey, algorithm: 'rsa' }
  const source = createBundleSource([{ ...bundle, jwtAuthorities: [authority] }])
  const token = forgeToken({ alg: 'RS256', kid: 'small' }, claims, rsa(small.privateKey))
  const verdict = verifyJwtSvid(token, source, 'ledger', now)
  assert.ok(verdict.kind === 'refused' && verdict.code === 'wrong-key')
})

test('the deny-list counts, by the ID and by the key, also of a key that was not named', () => {
  for (const [subject, token, options] of [
    [{ kind: 'spiffe-id', value: id.uri }, good, {}],
    [{ kind: 'authority-key', value: 'p256' }, good, {}],
    [
      { kind: 'authority-key', value: 'p256' },
      forgeToken(without(header, 'kid'), claims, p256),
      { allowMissingKeyId: true },
    ],
  ] as const) {
    const denied = createBundleSource([bundle], createRevocationList([subject]))
    const verdict = verifyJwtSvid(token, denied, 'ledger', now, options)
    assert.ok(verdict.kind === 'refused' && verdict.code === 'revoked')
    assert.equal(
      verifyJwtSvid(token, createBundleSource([bundle], NO_REVOCATIONS), 'ledger', now, options).kind,
      'verified',
    )
  }
})

test('a bundle without JWT authorities trusts no token, and a source that answers for another domain neither (rule 48)', () => {
  const empty = verifyJwtSvid(good, createBundleSource([{ ...bundle, jwtAuthorities: [] }]), 'ledger', now)
  assert.ok(empty.kind === 'refused' && empty.code === 'unknown-key')
  const confused = verifyJwtSvid(good, { bundleFor: () => partner }, 'ledger', now)
  assert.ok(confused.kind === 'refused' && confused.code === 'no-bundle')
})

test('a verifier without a name of its own accepts nothing', () => {
  const verdict = verifyJwtSvid(forgeToken(header, { ...claims, aud: [''] }, p256), bundles, '', now)
  assert.ok(verdict.kind === 'refused' && verdict.code === 'wrong-audience')
})

test('no change of a single character is ever accepted', () => {
  const tokens = NINE.map(([alg, kid, signer]) => forgeToken({ alg, kid }, claims, signer))
  fc.assert(
    fc.property(fc.constantFrom(...tokens), fc.nat(), fc.integer({ min: 0, max: 255 }), (token, place, octet) => {
      const at = place % token.length
      const changed = token.slice(0, at) + String.fromCharCode(octet) + token.slice(at + 1)
      assert.equal(verify(changed).kind, changed === token ? 'verified' : 'refused')
      assert.equal(verify(token.slice(0, at)).kind, 'refused')
      assert.equal(verify(token.slice(0, at) + token.slice(at + 1)).kind, 'refused')
    }),
    { numRuns: 1500 },
  )
})

test('never throws, whatever the token is', () => {
  const parts = fc.oneof(fc.json(), fc.constant(JSON.stringify(header)), fc.constant(JSON.stringify(claims)))
  const tokens = fc.tuple(parts, parts).map(([head, body]) => forgeToken(head, body, p256))
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), tokens), (token) => {
      const verdict = verify(token, { allowMissingKeyId: true })
      assert.ok(verdict.kind === 'refused' || token.startsWith(`${goodHeader}.${goodClaims}.`))
    }),
    { numRuns: 500 },
  )
})
