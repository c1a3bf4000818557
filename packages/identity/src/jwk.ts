import { createPublicKey, type KeyObject } from 'node:crypto'
import { IdentityError } from './error.ts'

/** What a JWT authority's key is. Picket signs with all but `ec-p521` and `rsa`, which is RSA of any other size. */
export type JwtKeyAlgorithm = 'ec-p256' | 'ec-p384' | 'ec-p521' | 'rsa-2048' | 'rsa-3072' | 'rsa-4096' | 'rsa'

/** A key that signs a trust domain's JWT-SVIDs. */
export interface JwtAuthority {
  /** What the header of its tokens names, unique in the trust domain. */
  readonly keyId: string
  readonly publicKey: KeyObject
  readonly algorithm: JwtKeyAlgorithm
}

export const MIN_RSA_BITS = 2048
/** Verifying with longer moduli is slow, and the sender of a bundle would choose how slow. */
export const MAX_RSA_BITS = 8192
const MAX_KEY_ID_CHARACTERS = 256

/** JOSE curve → Node's name, octets of a coordinate (RFC 7518 section 6.2.1), our name. secp256k1 is none of these. */
const CURVES = {
  'P-256': { namedCurve: 'prime256v1', octets: 32, algorithm: 'ec-p256' },
  'P-384': { namedCurve: 'secp384r1', octets: 48, algorithm: 'ec-p384' },
  'P-521': { namedCurve: 'secp521r1', octets: 66, algorithm: 'ec-p521' },
} as const

/** The public key as a JWT authority. Throws `ERR_KEY` or `ERR_UNSUPPORTED_ALGORITHM` when it may not sign JWT-SVIDs. */
export function toJwtAuthority(keyId: string, publicKey: KeyObject): JwtAuthority {
  if (keyId === '' || keyId.length > MAX_KEY_ID_CHARACTERS) {
    throw new IdentityError('ERR_KEY', 'a JWT authority needs a key ID of reasonable length')
  }
  if (publicKey.type !== 'public') throw new IdentityError('ERR_KEY', 'a JWT authority holds a public key')
  return Object.freeze({ keyId, publicKey, algorithm: jwtKeyAlgorithmOf(publicKey) })
}

/** A `jwt-svid` entry of a bundle → its authority. Throws `ERR_KEY` or `ERR_UNSUPPORTED_ALGORITHM`. */
export function readJwtAuthority(jwk: Readonly<Record<string, unknown>>): JwtAuthority {
  if (typeof jwk['kid'] !== 'string') throw new IdentityError('ERR_KEY', 'the JSON web key has no key ID')
  if (['d', 'p', 'q', 'k'].some((member) => Object.hasOwn(jwk, member))) {
    throw new IdentityError('ERR_KEY', 'the JSON web key is not only a public one')
  }
  return toJwtAuthority(jwk['kid'], readPublicJwk(jwk))
}

/** The key's members alone: `kty` and what belongs to it. */
export function toPublicJwk(publicKey: KeyObject): Record<string, unknown> {
  return { ...publicKey.export({ format: 'jwk' }) }
}

function readPublicJwk(jwk: Readonly<Record<string, unknown>>): KeyObject {
  const { kty, crv } = jwk
  if (kty === 'RSA') return importJwk({ kty, n: readOctets(jwk['n']), e: readOctets(jwk['e']) })
  const curve =
    kty === 'EC' && typeof crv === 'string' && Object.hasOwn(CURVES, crv) ? (crv as keyof typeof CURVES) : ''
  if (curve === '') throw new IdentityError('ERR_UNSUPPORTED_ALGORITHM', 'keys of this kind do not sign JWT-SVIDs')
  const { octets } = CURVES[curve]
  return importJwk({ kty: 'EC', crv: curve, x: readOctets(jwk['x'], octets), y: readOctets(jwk['y'], octets) })
}

function importJwk(key: Record<string, string>): KeyObject {
  try {
    return createPublicKey({ key, format: 'jwk' })
  } catch (cause) {
    throw new IdentityError('ERR_KEY', 'the JSON web key is not a valid one', { cause })
  }
}

function readOctets(value: unknown, octets?: number): string {
  const bytes = typeof value === 'string' ? decodeBase64Url(value) : undefined
  if (!bytes || (octets !== undefined && bytes.length !== octets) || bytes.length > MAX_RSA_BITS / 8) {
    throw new IdentityError('ERR_KEY', 'a member of the JSON web key is not in the form that its kind has')
  }
  return value as string
}

/** Base64url without padding and without stray bits (RFC 7515 section 2): one text to each byte string, and not empty. */
export function decodeBase64Url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url')
  return text !== '' && bytes.toString('base64url') === text ? bytes : undefined
}

function jwtKeyAlgorithmOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): JwtKeyAlgorithm {
  const curve = Object.values(CURVES).find(({ namedCurve }) => namedCurve === asymmetricKeyDetails?.namedCurve)
  if (asymmetricKeyType === 'ec' && curve) return curve.algorithm
  if (asymmetricKeyType !== 'rsa') {
    throw new IdentityError('ERR_UNSUPPORTED_ALGORITHM', 'keys of this kind do not sign JWT-SVIDs')
  }
  const { modulusLength = 0, publicExponent = 0n } = asymmetricKeyDetails ?? {}
  if (modulusLength < MIN_RSA_BITS || modulusLength > MAX_RSA_BITS) {
    throw new IdentityError('ERR_KEY', `an RSA key has ${MIN_RSA_BITS} to ${MAX_RSA_BITS} bits`)
  }
  if (publicExponent < 3n || publicExponent % 2n === 0n || publicExponent >= 2n ** 32n) {
    throw new IdentityError('ERR_KEY', 'the exponent of the RSA key is not a usual one')
  }
  const sizes = ['rsa-2048', 'rsa-3072', 'rsa-4096'] as const
  return sizes.find((name) => name === `rsa-${modulusLength}`) ?? 'rsa'
}
