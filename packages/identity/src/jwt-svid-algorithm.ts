import { constants, sign, verify, type KeyObject } from 'node:crypto'
import type { KeyAlgorithm } from './key-algorithm.ts'
import { MAX_RSA_BITS, MIN_RSA_BITS, type JwtKeyAlgorithm } from './jwk.ts'

/** The nine of JWT-SVID 2.1 (rule 31), and no tenth: `none`, HMAC and all others are not even names here. */
export type JwtAlgorithm = 'RS256' | 'RS384' | 'RS512' | 'ES256' | 'ES384' | 'ES512' | 'PS256' | 'PS384' | 'PS512'

type Algorithm =
  | { readonly kind: 'ecdsa'; readonly digest: string; readonly namedCurve: string; readonly signatureOctets: number }
  | { readonly kind: 'rsa'; readonly digest: string }
  | { readonly kind: 'rsa-pss'; readonly digest: string; readonly saltLength: number }

/** RFC 7518 sections 3.3 to 3.5: the digest is part of the name, and so is the curve. */
const ALGORITHMS: Readonly<Record<JwtAlgorithm, Algorithm>> = {
  RS256: { kind: 'rsa', digest: 'sha256' },
  RS384: { kind: 'rsa', digest: 'sha384' },
  RS512: { kind: 'rsa', digest: 'sha512' },
  ES256: { kind: 'ecdsa', digest: 'sha256', namedCurve: 'prime256v1', signatureOctets: 64 },
  ES384: { kind: 'ecdsa', digest: 'sha384', namedCurve: 'secp384r1', signatureOctets: 96 },
  ES512: { kind: 'ecdsa', digest: 'sha512', namedCurve: 'secp521r1', signatureOctets: 132 },
  PS256: { kind: 'rsa-pss', digest: 'sha256', saltLength: 32 },
  PS384: { kind: 'rsa-pss', digest: 'sha384', saltLength: 48 },
  PS512: { kind: 'rsa-pss', digest: 'sha512', saltLength: 64 },
}

/** What a JWT authority signs with; RSA keys fit six of the nine, and Picket uses the one that all verifiers know. */
const SIGNING: Readonly<Record<JwtKeyAlgorithm, JwtAlgorithm>> = {
  'ec-p256': 'ES256',
  'ec-p384': 'ES384',
  'ec-p521': 'ES512',
  'rsa-2048': 'RS256',
  'rsa-3072': 'RS256',
  'rsa-4096': 'RS256',
  rsa: 'RS256',
}

export function isJwtAlgorithm(name: unknown): name is JwtAlgorithm {
  return typeof name === 'string' && Object.hasOwn(ALGORITHMS, name)
}

/** Whether keys of this algorithm can be JWT authorities: Ed25519 and ML-DSA are not among the nine. */
export function isJwtKeyAlgorithm(algorithm: KeyAlgorithm): algorithm is KeyAlgorithm & JwtKeyAlgorithm {
  return Object.hasOwn(SIGNING, algorithm)
}

export function jwtAlgorithmOf(algorithm: JwtKeyAlgorithm): JwtAlgorithm {
  return SIGNING[algorithm]
}

/** Key type, curve and size are those of the algorithm: a P-256 key never checks ES384, a small RSA key nothing. */
export function fitsJwtAlgorithm(key: KeyObject, name: JwtAlgorithm): boolean {
  const algorithm = ALGORITHMS[name]
  const { asymmetricKeyType, asymmetricKeyDetails: details } = key
  if (algorithm.kind === 'ecdsa') return asymmetricKeyType === 'ec' && details?.namedCurve === algorithm.namedCurve
  const bits = details?.modulusLength ?? 0
  return asymmetricKeyType === 'rsa' && bits >= MIN_RSA_BITS && bits <= MAX_RSA_BITS
}

/** False also when the key is not one for the algorithm or the signature is not of its form. Never throws. */
export function isJwtSignature(signature: Uint8Array, name: JwtAlgorithm, bytes: Uint8Array, key: KeyObject): boolean {
  const algorithm = ALGORITHMS[name]
  if (!fitsJwtAlgorithm(key, name)) return false
  if (algorithm.kind === 'ecdsa' && signature.length !== algorithm.signatureOctets) return false
  try {
    return verify(algorithm.digest, bytes, { key, ...formOf(algorithm) }, signature)
  } catch {
    return false
  }
}

export function signJwt(bytes: Uint8Array, name: JwtAlgorithm, key: KeyObject): Buffer {
  const algorithm = ALGORITHMS[name]
  return sign(algorithm.digest, bytes, { key, ...formOf(algorithm) })
}

/** ECDSA as `r || s` of fixed length, no DER (RFC 7518 section 3.4); PSS with a salt as long as the digest (3.5). */
function formOf(algorithm: Algorithm): { dsaEncoding?: 'ieee-p1363'; padding?: number; saltLength?: number } {
  if (algorithm.kind === 'ecdsa') return { dsaEncoding: 'ieee-p1363' }
  if (algorithm.kind === 'rsa') return { padding: constants.RSA_PKCS1_PADDING }
  return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: algorithm.saltLength }
}
