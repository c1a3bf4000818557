import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { verifyJwtSvid } from './jwt-svid.ts'
import { JWT_SVID_REFUSALS, type JwtSvidRefusalCode } from './jwt-svid-refusal.ts'
import {
  bundles,
  claims,
  ecdsa,
  eddsa,
  forgeToken,
  header,
  hmac,
  id,
  keys,
  now,
  p256,
  rsaPss,
  seconds,
  without,
  x509,
} from './testing-jwt-svid.ts'

const verify = (token: string): ReturnType<typeof verifyJwtSvid> => verifyJwtSvid(token, bundles, 'ledger', now)

const x509Key = x509.keyPair.privateKey.reveal()
const edwards = generateKeyPairSync('ed25519')
const koblitz = generateKeyPairSync('ec', { namedCurve: 'secp256k1' })
const spki = keys.p256.publicKey.export({ type: 'spki', format: 'pem' })
const good = forgeToken(header, claims, p256)
const [goodHeader, goodClaims, goodSignature] = good.split('.') as [string, string, string]
const wire = { payload: goodClaims, protected: goodHeader, signature: goodSignature }
const twice = (value: object, member: string): string => JSON.stringify(value).replace('{', `{${member},`)

const REFUSED: readonly (readonly [string, JwtSvidRefusalCode, string])[] = [
  ['nothing', 'not-compact', ''],
  ['more than 16 KiB', 'too-long', forgeToken(header, { ...claims, x: 'x'.repeat(16_000) }, p256)],
  ['four million dots', 'too-long', '.'.repeat(4_000_000)],
  ['ten thousand dots', 'not-compact', '.'.repeat(10_000)],
  ['a JSON serialization', 'not-compact', JSON.stringify(wire)],
  ['a general JSON serialization', 'not-compact', JSON.stringify({ payload: goodClaims, signatures: [wire] })],
  ['an encrypted token', 'not-compact', `${goodHeader}.AA.AA.AA.AA`],
  ['a token without its signature', 'not-compact', `${goodHeader}.${goodClaims}`],
  ['a token with an empty signature', 'bad-encoding', `${goodHeader}.${goodClaims}.`],
  ['a token with a prefix', 'bad-encoding', `Bearer ${good}`],
  ['a token with a line break', 'bad-encoding', `${good}\n`],
  ['padded base64', 'bad-encoding', `${goodHeader}=.${goodClaims}.${goodSignature}==`],
  ['the alphabet of standard base64', 'bad-encoding', `${goodHeader}.${goodClaims}.${'+'.repeat(86)}`],
  ['stray bits at the end of a part', 'bad-encoding', `${goodHeader}.${goodClaims}.${goodSignature.slice(0, -1)}_`],
  ['a header that is not JSON', 'bad-header', forgeToken('{', claims, p256)],
  ['a header that is a list', 'bad-header', forgeToken([header], claims, p256)],
  ['two algorithms', 'bad-header', forgeToken(twice(header, '"alg":"none"'), claims, p256)],
  ['two key IDs, one behind an escape', 'bad-header', forgeToken(twice(header, '"k\\u0069d":"x"'), claims, p256)],
  ['no algorithm (rule 31)', 'bad-algorithm', forgeToken(without(header, 'alg'), claims, p256)],
  ['alg none (rule 31)', 'bad-algorithm', forgeToken({ ...header, alg: 'none' }, claims, () => Buffer.from('x'))],
  ['alg NONE (rule 31)', 'bad-algorithm', forgeToken({ ...header, alg: 'NONE' }, claims, p256)],
  [
    'HS256 with the public key as the secret',
    'bad-algorithm',
    forgeToken({ ...header, alg: 'HS256' }, claims, hmac(spki)),
  ],
  ['EdDSA', 'bad-algorithm', forgeToken({ ...header, alg: 'EdDSA' }, claims, eddsa(edwards.privateKey))],
  ['ES256K', 'bad-algorithm', forgeToken({ ...header, alg: 'ES256K' }, claims, ecdsa(koblitz.privateKey))],
  ['es256 in lower case', 'bad-algorithm', forgeToken({ ...header, alg: 'es256' }, claims, p256)],
  ['an algorithm that is a list', 'bad-algorithm', forgeToken({ ...header, alg: ['ES256'] }, claims, p256)],
  [
    'an algorithm named like a member of every object',
    'bad-algorithm',
    forgeToken({ alg: 'constructor' }, claims, p256),
  ],
  ['an algorithm before all else', 'bad-algorithm', forgeToken({ alg: 'none', typ: 'x', crit: ['x'] }, '{', p256)],
  ['the type at+jwt (rule 32)', 'bad-type', forgeToken({ ...header, typ: 'at+jwt' }, claims, p256)],
  ['the type jwt in lower case (rule 32)', 'bad-type', forgeToken({ ...header, typ: 'jwt' }, claims, p256)],
  ['a type of null (rule 32)', 'bad-type', forgeToken({ ...header, typ: null }, claims, p256)],
  ['a header member more (rule 33)', 'bad-header-member', forgeToken({ ...header, cty: 'JWT' }, claims, p256)],
  ['crit (RFC 7515 section 4.1.11)', 'bad-header-member', forgeToken({ ...header, crit: ['exp'] }, claims, p256)],
  ['a key that the token brings', 'bad-header-member', forgeToken({ ...header, jwk: {} }, claims, p256)],
  ['an address of a key', 'bad-header-member', forgeToken({ ...header, jku: 'https://x.test' }, claims, p256)],
  ['payload that is not encoded', 'bad-header-member', forgeToken({ ...header, b64: false }, claims, p256)],
  ['a key ID that is a number', 'bad-key-id', forgeToken({ ...header, kid: 1 }, claims, p256)],
  ['an empty key ID', 'bad-key-id', forgeToken({ ...header, kid: '' }, claims, p256)],
  ['claims that are not JSON', 'bad-claims', forgeToken(header, 'x', p256)],
  ['claims that are null', 'bad-claims', forgeToken(header, null, p256)],
  [
    'claims that are no UTF-8',
    'bad-claims',
    `${goodHeader}.${Buffer.from([0xff]).toString('base64url')}.${goodSignature}`,
  ],
  ['two subjects', 'bad-claims', forgeToken(header, twice(claims, '"sub":"spiffe://bank.test/x"'), p256)],
  ['two ends', 'bad-claims', forgeToken(header, twice(claims, '"exp":1'), p256)],
  ['claims a hundred deep', 'bad-claims', forgeToken(header, `{"a":${'['.repeat(100)}${']'.repeat(100)}}`, p256)],
  ['no subject (rule 35)', 'bad-subject', forgeToken(header, without(claims, 'sub'), p256)],
  ['a subject that is no SPIFFE ID', 'bad-subject', forgeToken(header, { ...claims, sub: 'payments' }, p256)],
  [
    'a subject in upper case',
    'bad-subject',
    forgeToken(header, { ...claims, sub: 'SPIFFE://bank.test/payments' }, p256),
  ],
  [
    'a subject that is a trust domain',
    'bad-subject',
    forgeToken(header, { ...claims, sub: 'spiffe://bank.test' }, p256),
  ],
  ['a subject that is a list', 'bad-subject', forgeToken(header, { ...claims, sub: [id.uri] }, p256)],
  [
    'a trust domain without a bundle',
    'no-bundle',
    forgeToken(header, { ...claims, sub: 'spiffe://evil.test/x' }, p256),
  ],
  ['a token without a key ID', 'no-key-id', forgeToken(without(header, 'kid'), claims, p256)],
  ['an unknown key (rule 38)', 'unknown-key', forgeToken({ ...header, kid: 'p999' }, claims, p256)],
  [
    'a key of another trust domain',
    'unknown-key',
    forgeToken({ ...header, kid: 'foreign' }, claims, ecdsa(keys.foreign.privateKey)),
  ],
  [
    'our key in the name of another',
    'unknown-key',
    forgeToken(header, { ...claims, sub: 'spiffe://partner.test/x' }, p256),
  ],
  [
    'an X.509 authority’s key by its ID',
    'unknown-key',
    forgeToken({ ...header, kid: x509.certificate.subjectKeyId }, claims, ecdsa(x509Key)),
  ],
  ['an X.509 authority’s key', 'bad-signature', forgeToken(header, claims, ecdsa(x509Key))],
  ['a P-256 key for ES384', 'wrong-key', forgeToken({ ...header, alg: 'ES384' }, claims, p256)],
  ['an RSA key for ES256', 'wrong-key', forgeToken({ ...header, kid: 'rsa' }, claims, p256)],
  ['an EC key for RS256', 'wrong-key', forgeToken({ ...header, alg: 'RS256' }, claims, p256)],
  ['a signature in DER', 'bad-signature', forgeToken(header, claims, ecdsa(keys.p256.privateKey, 'sha256', 'der'))],
  ['a signature of nothing but zeros', 'bad-signature', forgeToken(header, claims, () => Buffer.alloc(64))],
  [
    'a signature with an octet more',
    'bad-signature',
    forgeToken(header, claims, (s) => Buffer.concat([p256(s), Buffer.alloc(1)])),
  ],
  [
    'a PSS salt that is too short',
    'bad-signature',
    forgeToken({ alg: 'PS256', kid: 'rsa' }, claims, rsaPss(keys.rsa.privateKey, 'sha256', 20)),
  ],
  [
    'a PSS salt that is too long',
    'bad-signature',
    forgeToken({ alg: 'PS256', kid: 'rsa' }, claims, rsaPss(keys.rsa.privateKey, 'sha256', 64)),
  ],
  ['no audience (rule 36)', 'no-audience', forgeToken(header, without(claims, 'aud'), p256)],
  ['an empty list of audiences', 'no-audience', forgeToken(header, { ...claims, aud: [] }, p256)],
  ['another audience', 'wrong-audience', forgeToken(header, { ...claims, aud: 'audit' }, p256)],
  ['an audience in upper case', 'wrong-audience', forgeToken(header, { ...claims, aud: ['LEDGER'] }, p256)],
  ['an audience that only begins so', 'wrong-audience', forgeToken(header, { ...claims, aud: ['ledger/'] }, p256)],
  ['audiences that are not all texts', 'bad-claim', forgeToken(header, { ...claims, aud: ['ledger', 1] }, p256)],
  ['an audience that is an object', 'bad-claim', forgeToken(header, { ...claims, aud: { ledger: true } }, p256)],
  ['no end (rule 37)', 'no-expiry', forgeToken(header, without(claims, 'exp'), p256)],
  ['an end that is text', 'bad-claim', forgeToken(header, { ...claims, exp: `${seconds + 300}` }, p256)],
  ['an end of null', 'bad-claim', forgeToken(header, { ...claims, exp: null }, p256)],
  ['an end after all time', 'bad-claim', forgeToken(header, { ...claims, exp: 1e300 }, p256)],
  ['a beginning that is text', 'bad-claim', forgeToken(header, { ...claims, nbf: 'now' }, p256)],
  ['an issue that is text', 'bad-claim', forgeToken(header, { ...claims, iat: 'now' }, p256)],
  ['an issuer that is a list', 'bad-claim', forgeToken(header, { ...claims, iss: ['x'] }, p256)],
  ['an end in the past', 'expired', forgeToken(header, { ...claims, exp: seconds - 61 }, p256)],
  ['a negative end', 'expired', forgeToken(header, { ...claims, exp: -1 }, p256)],
  ['a beginning in the future', 'not-yet-valid', forgeToken(header, { ...claims, nbf: seconds + 61 }, p256)],
]

for (const [what, code, token] of REFUSED) {
  test(`refuses ${what}: ${code}`, () => {
    const verdict = verify(token)
    assert.equal(verdict.kind === 'refused' ? verdict.code : verdict.kind, code)
    assert.ok(verdict.kind === 'refused' && verdict.rule === JWT_SVID_REFUSALS[code][1])
  })
}

test('every refusal but those of the options has a case above', () => {
  const covered = new Set(REFUSED.map(([, code]) => code))
  const missing = Object.keys(JWT_SVID_REFUSALS).filter((code) => !covered.has(code as JwtSvidRefusalCode))
  assert.deepEqual(missing, ['ambiguous-key', 'revoked'])
})

test('a refusal holds nothing of the token', () => {
  const secret = 'hunter2'
  const tokens = [
    secret,
    forgeToken({ ...header, alg: secret }, claims, p256),
    forgeToken({ ...header, kid: secret }, claims, p256),
    forgeToken(header, { ...claims, sub: secret }, p256),
    forgeToken(header, { ...claims, aud: secret }, p256),
    forgeToken(header, { ...claims, exp: secret }, p256),
  ]
  for (const token of tokens) {
    const verdict = verify(token)
    assert.ok(verdict.kind === 'refused' && !verdict.message.includes(secret))
  }
})
