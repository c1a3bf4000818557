import { IdentityError } from './error.ts'
import type { JwtAuthority } from './jwk.ts'
import { fitsJwtAlgorithm, isJwtKeyAlgorithm, isJwtSignature, jwtAlgorithmOf, signJwt } from './jwt-svid-algorithm.ts'
import { refuseJwtSvid, type JwtSvidRefusal } from './jwt-svid-refusal.ts'
import { MAX_TOKEN_CHARACTERS, readToken, type UnverifiedToken } from './jwt-svid-token.ts'
import { keyAlgorithmOf } from './key-algorithm.ts'
import type { PrivateKey } from './key-pair.ts'
import type { BundleSource } from './source.ts'
import { parseSpiffeId, type SpiffeId } from './spiffe-id.ts'
import type { TrustBundle } from './trust-bundle.ts'

/**
 * JWT-SVIDs (JWT-SVID.md, rules 30-40). The subject says its trust domain, and only the JWT authorities of that trust
 * domain's own bundle count: never a key that the token brings along, never a certificate authority's. Nothing of the
 * claims but the subject is looked at before the signature has been checked.
 */
export interface VerifiedJwtSvid {
  readonly kind: 'verified'
  readonly id: SpiffeId
  readonly audience: readonly string[]
  /** All claims as they were sent. */
  readonly claims: Readonly<Record<string, unknown>>
  /** As the header has it. */
  readonly keyId: string | undefined
  readonly expiresAt: Date
}

export interface JwtSvidOptions {
  /** Clocks differ: how long after its end, or before its beginning, a token is still taken. A minute unless told. */
  readonly leewayMs?: number
  /** Takes tokens that do not name their key, if exactly one key of the bundle would do. Off unless told. */
  readonly allowMissingKeyId?: boolean
}

export interface JwtSvidClaims {
  readonly id: SpiffeId
  /** One or more; one is best (JWT-SVID 6.2). */
  readonly audience: readonly string[]
  readonly issuedAt: Date
  readonly expiresAt: Date
  /** For OpenID Connect: the address of the discovery document. */
  readonly issuer?: string
}

export const JWT_LEEWAY_MS = 60_000

/** Verifies a token for `audience`, the verifier's own name, at the instant `now`. Never throws on what a peer sends. */
export function verifyJwtSvid(
  token: string,
  bundles: BundleSource,
  audience: string,
  now: Date,
  options: JwtSvidOptions = {},
): VerifiedJwtSvid | JwtSvidRefusal {
  const read = readToken(token)
  if ('kind' in read) return read
  const id = readSubject(read.claims['sub'])
  if (!id) return refuseJwtSvid('bad-subject')
  const bundle = bundles.bundleFor(id.trustDomain)
  if (bundle?.trustDomain.name !== id.trustDomain.name) return refuseJwtSvid('no-bundle', id.trustDomain.name)
  const authority = findAuthority(read, bundle, options)
  if ('kind' in authority) return authority
  if (!isJwtSignature(read.signature, read.algorithm, read.signed, authority.publicKey)) {
    return refuseJwtSvid('bad-signature')
  }
  const verified = verifyClaims(read, id, audience, now.getTime(), options.leewayMs ?? JWT_LEEWAY_MS)
  if (verified.kind === 'refused') return verified
  const revoked = bundles.revocations?.findJwt(id, authority.keyId)
  return revoked ? refuseJwtSvid('revoked', `by ${revoked.kind}`) : verified
}

/** Signs a JWT-SVID: header `alg`, `kid` and `typ` alone. Instants are cut to whole seconds. Throws `ERR_JWT_SVID`. */
export function createJwtSvid(claims: JwtSvidClaims, key: { keyId: string; privateKey: PrivateKey }): string {
  const { id, audience, issuer } = claims
  const [iat, exp] = [toSeconds(claims.issuedAt), toSeconds(claims.expiresAt)]
  if (id.path === '') throw fault('its subject is not a workload')
  if (audience.length === 0 || audience.includes('')) throw fault('it has no audience')
  if (!(exp > iat)) throw fault('it would not be valid for a second')
  if (key.keyId === '') throw fault('its key has no ID')
  const privateKey = key.privateKey.reveal()
  const algorithm = keyAlgorithmOf(privateKey)
  if (!isJwtKeyAlgorithm(algorithm)) throw fault('its key is of a kind that does not sign JWT-SVIDs')
  const alg = jwtAlgorithmOf(algorithm)
  const header = { alg, kid: key.keyId, typ: 'JWT' }
  const payload = { sub: id.uri, aud: audience, exp, iat, ...(issuer !== undefined && { iss: issuer }) }
  const signed = `${encodePart(header)}.${encodePart(payload)}`
  const token = `${signed}.${signJwt(Buffer.from(signed), alg, privateKey).toString('base64url')}`
  if (token.length > MAX_TOKEN_CHARACTERS) throw fault('it would be too long')
  return token
}

function readSubject(subject: unknown): SpiffeId | undefined {
  try {
    const id = typeof subject === 'string' ? parseSpiffeId(subject) : undefined
    return id?.path === '' ? undefined : id
  } catch {
    return undefined
  }
}

function findAuthority(
  { algorithm, keyId }: UnverifiedToken,
  { trustDomain, jwtAuthorities }: TrustBundle,
  { allowMissingKeyId = false }: JwtSvidOptions,
): JwtAuthority | JwtSvidRefusal {
  if (keyId === undefined) {
    if (!allowMissingKeyId) return refuseJwtSvid('no-key-id')
    const [only, ...others] = jwtAuthorities.filter(({ publicKey }) => fitsJwtAlgorithm(publicKey, algorithm))
    return only && others.length === 0 ? only : refuseJwtSvid('ambiguous-key')
  }
  const authority = jwtAuthorities.find((candidate) => candidate.keyId === keyId)
  if (!authority) return refuseJwtSvid('unknown-key', trustDomain.name)
  return fitsJwtAlgorithm(authority.publicKey, algorithm) ? authority : refuseJwtSvid('wrong-key')
}

function verifyClaims(
  { claims, keyId }: UnverifiedToken,
  id: SpiffeId,
  expected: string,
  now: number,
  leewayMs: number,
): VerifiedJwtSvid | JwtSvidRefusal {
  const { aud, exp, nbf, iat, iss } = claims
  const audience = readAudience(aud)
  if (audience === undefined) return refuseJwtSvid('bad-claim', 'aud')
  if (audience.length === 0) return refuseJwtSvid('no-audience')
  if (expected === '' || !audience.includes(expected)) return refuseJwtSvid('wrong-audience')
  if (exp === undefined) return refuseJwtSvid('no-expiry')
  const expiresAt = readInstant(exp)
  if (!expiresAt) return refuseJwtSvid('bad-claim', 'exp')
  const notBefore = nbf === undefined ? undefined : readInstant(nbf)
  if (nbf !== undefined && !notBefore) return refuseJwtSvid('bad-claim', 'nbf')
  if (iat !== undefined && !readInstant(iat)) return refuseJwtSvid('bad-claim', 'iat')
  if (iss !== undefined && typeof iss !== 'string') return refuseJwtSvid('bad-claim', 'iss')
  if (now >= expiresAt.getTime() + leewayMs) return refuseJwtSvid('expired', `since ${expiresAt.toISOString()}`)
  if (notBefore && now < notBefore.getTime() - leewayMs) {
    return refuseJwtSvid('not-yet-valid', `before ${notBefore.toISOString()}`)
  }
  return { kind: 'verified', id, audience, claims, keyId, expiresAt }
}

/** One text or a list of texts (RFC 7519 section 4.1.3). */
function readAudience(aud: unknown): readonly string[] | undefined {
  if (aud === undefined) return []
  const values: readonly unknown[] = Array.isArray(aud) ? aud : [aud]
  return values.every((value): value is string => typeof value === 'string') ? values : undefined
}

/** A NumericDate: seconds, with a fraction perhaps (RFC 7519 section 2). */
function readInstant(seconds: unknown): Date | undefined {
  if (typeof seconds !== 'number') return undefined
  const instant = new Date(seconds * 1000)
  return Number.isNaN(instant.getTime()) ? undefined : instant
}

function toSeconds(instant: Date): number {
  return Math.floor(instant.getTime() / 1000)
}

function encodePart(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function fault(reason: string): IdentityError {
  return new IdentityError('ERR_JWT_SVID', `the JWT-SVID is not made: ${reason}`)
}
