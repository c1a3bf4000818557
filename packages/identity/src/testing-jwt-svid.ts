import { constants, createHmac, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { toJwtAuthority, type JwtAuthority } from './jwk.ts'
import { createBundleSource } from './source.ts'
import { parseSpiffeId } from './spiffe-id.ts'
import { createTestAuthority } from './testing.ts'
import { parseTrustDomain } from './trust-domain.ts'

/** How a forger signs: any algorithm, any header, any claims. */
export type Signer = (signed: Buffer) => Buffer

const part = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** A token of these parts, objects or JSON as text, signed whatever they say. */
export function forgeToken(header: unknown, claims: unknown, signer: Signer): string {
  const signed = `${part(header)}.${part(claims)}`
  return `${signed}.${signer(Buffer.from(signed)).toString('base64url')}`
}

export const ecdsa =
  (key: KeyObject, digest = 'sha256', dsaEncoding: 'ieee-p1363' | 'der' = 'ieee-p1363'): Signer =>
  (signed) =>
    sign(digest, signed, { key, dsaEncoding })

export const rsa =
  (key: KeyObject, digest = 'sha256'): Signer =>
  (signed) =>
    sign(digest, signed, key)

export const rsaPss =
  (key: KeyObject, digest: string, saltLength: number): Signer =>
  (signed) =>
    sign(digest, signed, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength })

export const hmac =
  (secret: string | Buffer): Signer =>
  (signed) =>
    createHmac('sha256', secret).update(signed).digest()

export const eddsa =
  (key: KeyObject): Signer =>
  (signed) =>
    sign(null, signed, key)

export const now = new Date('2030-01-02T03:04:05Z')
export const seconds = now.getTime() / 1000
export const id = parseSpiffeId('spiffe://bank.test/payments')
export const keys = {
  p256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  p384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  p521: generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  foreign: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
}
export type KeyName = keyof typeof keys
export const authorityOf = (name: KeyName): JwtAuthority => toJwtAuthority(name, keys[name].publicKey)
export const x509 = createTestAuthority('bank.test')
export const bundle = { ...x509.bundle, jwtAuthorities: (['p256', 'p384', 'p521', 'rsa'] as const).map(authorityOf) }
export const partner = {
  ...bundle,
  trustDomain: parseTrustDomain('partner.test'),
  jwtAuthorities: [authorityOf('foreign'), { ...authorityOf('p384'), keyId: 'shared' }],
}
export const bundles = createBundleSource([bundle, partner])

/** What a good token says. */
export const header = { alg: 'ES256', kid: 'p256', typ: 'JWT' }
export const claims = { sub: id.uri, aud: ['ledger'], exp: seconds + 300, iat: seconds }
export const p256 = ecdsa(keys.p256.privateKey)
export const without = (value: object, member: string): object =>
  Object.fromEntries(Object.entries(value).filter(([name]) => name !== member))

export const NINE: readonly (readonly [string, KeyName, Signer])[] = [
  ['RS256', 'rsa', rsa(keys.rsa.privateKey, 'sha256')],
  ['RS384', 'rsa', rsa(keys.rsa.privateKey, 'sha384')],
  ['RS512', 'rsa', rsa(keys.rsa.privateKey, 'sha512')],
  ['ES256', 'p256', ecdsa(keys.p256.privateKey, 'sha256')],
  ['ES384', 'p384', ecdsa(keys.p384.privateKey, 'sha384')],
  ['ES512', 'p521', ecdsa(keys.p521.privateKey, 'sha512')],
  ['PS256', 'rsa', rsaPss(keys.rsa.privateKey, 'sha256', 32)],
  ['PS384', 'rsa', rsaPss(keys.rsa.privateKey, 'sha384', 48)],
  ['PS512', 'rsa', rsaPss(keys.rsa.privateKey, 'sha512', 64)],
]
