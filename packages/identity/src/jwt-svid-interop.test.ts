import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createLocalJWKSet, jwtVerify, SignJWT, type JSONWebKeySet } from 'jose'
import { toJwtAuthority } from './jwk.ts'
import { createJwtSvid, verifyJwtSvid } from './jwt-svid.ts'
import { generateKeyPair } from './key-pair.ts'
import { createBundleSource } from './source.ts'
import { parseSpiffeId } from './spiffe-id.ts'
import { encodeJwtBundle, encodeOidcKeys, parseTrustBundle, type TrustBundle } from './trust-bundle.ts'

const id = parseSpiffeId('spiffe://bank.test/payments')
const { trustDomain } = id
const now = new Date('2030-01-02T03:04:05Z')
const expiresAt = new Date(now.getTime() + 300_000)
const empty: TrustBundle = {
  trustDomain,
  x509Authorities: [],
  jwtAuthorities: [],
  sequence: 1n,
  refreshHintSeconds: undefined,
}

for (const algorithm of ['ec-p256', 'ec-p384', 'rsa-2048'] as const) {
  test(`jose verifies our ${algorithm} tokens with the keys that we publish`, async () => {
    const { privateKey, publicKey } = generateKeyPair(algorithm)
    const issuer = 'https://id.bank.test'
    const claims = { id, audience: ['ledger'], issuedAt: now, expiresAt, issuer }
    const token = createJwtSvid(claims, { keyId: 'k1', privateKey })
    const bundle = { ...empty, jwtAuthorities: [toJwtAuthority('k1', publicKey)] }
    const keySet = JSON.parse(encodeOidcKeys(bundle)) as JSONWebKeySet
    assert.deepEqual(Object.keys(keySet), ['keys'])
    const options = { audience: 'ledger', issuer, subject: id.uri, typ: 'JWT', currentDate: now }
    const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet(keySet), options)
    assert.deepEqual([payload.sub, payload.exp, protectedHeader.kid], [id.uri, expiresAt.getTime() / 1000, 'k1'])
    await assert.rejects(jwtVerify(`${token.slice(0, -4)}AAAA`, createLocalJWKSet(keySet), options))
  })
}

const FOREIGN = [
  ['ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' })],
  ['ES384', generateKeyPairSync('ec', { namedCurve: 'P-384' })],
  ['ES512', generateKeyPairSync('ec', { namedCurve: 'P-521' })],
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'].map(
    (alg) => [alg, generateKeyPairSync('rsa', { modulusLength: 2048 })] as const,
  ),
] as const

for (const [alg, { privateKey, publicKey }] of FOREIGN) {
  test(`we verify jose's ${alg} tokens through a bundle that went over the wire`, async () => {
    const token = await new SignJWT({ any: 'thing' })
      .setProtectedHeader({ alg, kid: 'theirs', typ: 'JWT' })
      .setSubject(id.uri)
      .setAudience('ledger')
      .setNotBefore(now)
      .setExpirationTime(expiresAt)
      .sign(privateKey)
    const sent = encodeJwtBundle({ ...empty, jwtAuthorities: [toJwtAuthority('theirs', publicKey)] })
    const verdict = verifyJwtSvid(token, createBundleSource([parseTrustBundle(sent, trustDomain)]), 'ledger', now)
    assert.ok(verdict.kind === 'verified', JSON.stringify(verdict))
    assert.equal(verdict.claims['any'], 'thing')
  })
}

const hasOpenssl = spawnSync('openssl', ['version']).status === 0
const skip = hasOpenssl ? false : 'openssl is missing: apt-get install openssl'

test('openssl verifies the signature of a token', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'picket-jwt-'))
  try {
    const { privateKey, publicKey } = generateKeyPair('rsa-2048')
    const token = createJwtSvid({ id, audience: ['a'], issuedAt: now, expiresAt }, { keyId: 'k', privateKey })
    const at = token.lastIndexOf('.')
    const [keyFile, signedFile, signatureFile] = ['key.pem', 'signed', 'signature'].map((name) => join(folder, name))
    writeFileSync(keyFile!, publicKey.export({ type: 'spki', format: 'pem' }))
    writeFileSync(signedFile!, token.slice(0, at))
    writeFileSync(signatureFile!, Buffer.from(token.slice(at + 1), 'base64url'))
    const args = ['dgst', '-sha256', '-verify', keyFile!, '-signature', signatureFile!, signedFile!]
    assert.match(spawnSync('openssl', args, { encoding: 'utf8' }).stdout, /Verified OK/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
