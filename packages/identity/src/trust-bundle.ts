import { encodeCertificatesPem, parseCertificate, parseCertificatesPem, type Certificate } from './certificate.ts'
import { IdentityError } from './error.ts'
import { readJwtAuthority, toPublicJwk, type JwtAuthority } from './jwk.ts'
import { jwtAlgorithmOf } from './jwt-svid-algorithm.ts'
import { decodeBase64 } from './pem.ts'
import { isJsonObject, parseStrictJson } from './strict-json.ts'
import type { TrustDomain } from './trust-domain.ts'

/**
 * A trust domain's authorities (SPIFFE_Trust_Domain_and_Bundle.md). The name comes from configuration, never from the
 * document. A bundle without authorities is a valid one that trusts nobody: so a trust domain revokes everything.
 */
export interface TrustBundle {
  readonly trustDomain: TrustDomain
  readonly x509Authorities: readonly Certificate[]
  readonly jwtAuthorities: readonly JwtAuthority[]
  /** Grows with each change; 64 bits, hence no `number`. */
  readonly sequence: bigint
  /** How often to look for a newer one. */
  readonly refreshHintSeconds: number | undefined
}

/** Entries that are passed over although they say what they are for; the standard's own exceptions are not among them. */
export type SkippedKey = 'x509-unsupported-algorithm' | 'jwt-no-key-id' | 'jwt-unsupported-algorithm' | 'jwt-bad-key'

export interface BundleReadOptions {
  /** Called for each such entry, so that a metric can be raised. */
  readonly onSkipped?: (reason: SkippedKey) => void
}

export const MAX_BUNDLE_CHARACTERS = 4 * 1024 * 1024
/** Each key takes 0.1 ms to import, and a partner chooses how many there are. */
const MAX_KEYS = 1024
const X509_SVID_USE = 'x509-svid'
const JWT_SVID_USE = 'jwt-svid'
/** Key types of RFC 7518, RFC 8037 and the post-quantum drafts; an entry of any other is ignored (rule 47). */
const KNOWN_KEY_TYPES = new Set<unknown>(['EC', 'RSA', 'OKP', 'AKP'])

/**
 * A SPIFFE bundle document (JWK Set). Ignored, by the standard: entries whose `use` or `kty` is missing or unknown,
 * X.509 entries without `x5c`, further `x5c` values, and unknown members (rules 29, 44-48). Passed over and reported:
 * X.509 authorities whose algorithm is not supported here, and JWT authorities without a key ID or with a key that may
 * not sign. Anything else that does not read refuses the document as a whole, so that a damaged update cannot quietly
 * withdraw an authority; a member that is there twice is such damage. Throws `ERR_TRUST_BUNDLE`.
 */
export function parseTrustBundle(
  json: string | Uint8Array,
  trustDomain: TrustDomain,
  options: BundleReadOptions = {},
): TrustBundle {
  return readTrustBundle(parseBundleJson(json), trustDomain, options)
}

/** The same from JSON that has been read, as in a bundle map. Throws `ERR_TRUST_BUNDLE`. */
export function readTrustBundle(document: unknown, trustDomain: TrustDomain, options: BundleReadOptions): TrustBundle {
  if (!isJsonObject(document) || !Array.isArray(document['keys'])) throw refusal('it has no "keys" array')
  const keys: unknown[] = document['keys']
  if (keys.length > MAX_KEYS) throw refusal(`it has more than ${MAX_KEYS} keys`)
  const entries = keys.map(readEntry)
  const skip = (reason: SkippedKey): [] => (options.onSkipped?.(reason), [])
  return Object.freeze({
    trustDomain,
    x509Authorities: Object.freeze(entries.flatMap((entry) => readX509Authority(entry, skip))),
    jwtAuthorities: Object.freeze(distinct(entries.flatMap((entry) => readJwtEntry(entry, skip)))),
    sequence: readInteger(document['spiffe_sequence'], 'spiffe_sequence') ?? 0n,
    refreshHintSeconds: toSeconds(readInteger(document['spiffe_refresh_hint'], 'spiffe_refresh_hint')),
  })
}

/** Strict JSON with exact integers. Throws `ERR_TRUST_BUNDLE`. */
export function parseBundleJson(json: string | Uint8Array): unknown {
  try {
    return parseStrictJson(json, { maxLength: MAX_BUNDLE_CHARACTERS, integers: 'bigint' })
  } catch (cause) {
    throw new IdentityError('ERR_TRUST_BUNDLE', `the trust bundle is refused: ${(cause as Error).message}`, { cause })
  }
}

/** The bundle as a SPIFFE document, one JWK to each authority (rules 28, 39). */
export function encodeTrustBundle(bundle: TrustBundle): string {
  return encodeDocument(bundle, [...bundle.x509Authorities.map(toX509Jwk), ...bundle.jwtAuthorities.map(toJwtJwk)])
}

/** What verifiers of JWT-SVIDs get: a JWK Set with the `jwt-svid` keys alone (rule 65). */
export function encodeJwtBundle(bundle: TrustBundle): string {
  return encodeDocument(bundle, bundle.jwtAuthorities.map(toJwtJwk))
}

/** The keys for OpenID Connect discovery: a JWK Set as any JWT library reads it, which knows no SPIFFE uses. */
export function encodeOidcKeys(bundle: TrustBundle): string {
  const keys = bundle.jwtAuthorities.map(({ keyId, publicKey, algorithm }) => ({
    ...toPublicJwk(publicKey),
    use: 'sig',
    kid: keyId,
    alg: jwtAlgorithmOf(algorithm),
  }))
  return `${JSON.stringify({ keys }, undefined, 2)}\n`
}

function toX509Jwk(authority: Certificate): Record<string, unknown> {
  return { use: X509_SVID_USE, ...toPublicJwk(authority.publicKey), x5c: [authority.der.toString('base64')] }
}

function toJwtJwk({ keyId, publicKey }: JwtAuthority): Record<string, unknown> {
  return { use: JWT_SVID_USE, kid: keyId, ...toPublicJwk(publicKey) }
}

function encodeDocument({ sequence, refreshHintSeconds }: TrustBundle, keys: readonly object[]): string {
  const members = [
    `"keys": ${JSON.stringify(keys, undefined, 2).replaceAll('\n', '\n  ')}`,
    `"spiffe_sequence": ${sequence}`,
    ...(refreshHintSeconds === undefined ? [] : [`"spiffe_refresh_hint": ${refreshHintSeconds}`]),
  ]
  return `{\n${members.map((member) => `  ${member}`).join(',\n')}\n}\n`
}

/** The authorities of a PEM file, of which there must be one at least: an empty file is a mistake. */
export function parseTrustBundlePem(pem: string, trustDomain: TrustDomain): TrustBundle {
  const x509Authorities = Object.freeze(parseCertificatesPem(pem))
  return Object.freeze({
    trustDomain,
    x509Authorities,
    jwtAuthorities: [],
    sequence: 0n,
    refreshHintSeconds: undefined,
  })
}

export function encodeTrustBundlePem(bundle: TrustBundle): string {
  return encodeCertificatesPem(bundle.x509Authorities)
}

type Entry = Readonly<Record<string, unknown>>
type Skip = (reason: SkippedKey) => []

function readEntry(entry: unknown): Entry {
  if (!isJsonObject(entry)) throw refusal('an entry of "keys" is not an object')
  return entry
}

function readX509Authority(entry: Entry, skip: Skip): Certificate[] {
  if (entry['use'] !== X509_SVID_USE || !KNOWN_KEY_TYPES.has(entry['kty'])) return []
  const x5c: unknown = entry['x5c']
  if (x5c === undefined || (Array.isArray(x5c) && x5c.length === 0)) return []
  const first: unknown = Array.isArray(x5c) ? x5c[0] : undefined
  if (typeof first !== 'string') throw refusal('an "x5c" is not a list of texts')
  const read = readCertificate(first)
  if (!read) return skip('x509-unsupported-algorithm')
  for (const [member, value] of Object.entries(read.jwk)) {
    if (Object.hasOwn(entry, member) && entry[member] !== value) throw refusal('a key is not that of its certificate')
  }
  return [read.authority]
}

function readJwtEntry(entry: Entry, skip: Skip): JwtAuthority[] {
  if (entry['use'] !== JWT_SVID_USE || !KNOWN_KEY_TYPES.has(entry['kty'])) return []
  const { kid } = entry
  if (kid === undefined || kid === '') return skip('jwt-no-key-id')
  try {
    return [readJwtAuthority(entry)]
  } catch (thrown) {
    if (!(thrown instanceof IdentityError)) throw thrown
    return skip(thrown.code === 'ERR_UNSUPPORTED_ALGORITHM' ? 'jwt-unsupported-algorithm' : 'jwt-bad-key')
  }
}

/** One key to each ID: a token names its key by nothing else. */
function distinct(authorities: readonly JwtAuthority[]): JwtAuthority[] {
  const byId = new Map<string, JwtAuthority>()
  for (const authority of authorities) {
    const known = byId.get(authority.keyId)
    if (known && !known.publicKey.equals(authority.publicKey)) throw refusal('two JWT keys have one key ID')
    byId.set(authority.keyId, known ?? authority)
  }
  return [...byId.values()]
}

function readCertificate(base64: string): { authority: Certificate; jwk: Entry } | undefined {
  try {
    const authority = parseCertificate(decodeBase64(base64, 'an "x5c" value'))
    return { authority, jwk: toPublicJwk(authority.publicKey) }
  } catch (cause) {
    if ((cause as IdentityError).code === 'ERR_UNSUPPORTED_ALGORITHM') return undefined
    throw new IdentityError('ERR_TRUST_BUNDLE', `the trust bundle is refused: ${(cause as Error).message}`, { cause })
  }
}

function readInteger(value: unknown, member: string): bigint | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'bigint' || value < 0n) throw refusal(`"${member}" is not a whole number`)
  return value
}

function toSeconds(hint: bigint | undefined): number | undefined {
  return hint === undefined ? undefined : Number(hint > 2n ** 31n ? 2n ** 31n : hint)
}

function refusal(fault: string): IdentityError {
  return new IdentityError('ERR_TRUST_BUNDLE', `the trust bundle is refused: ${fault}`)
}
