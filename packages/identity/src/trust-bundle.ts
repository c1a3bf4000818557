import { encodeCertificatesPem, parseCertificate, parseCertificatesPem, type Certificate } from './certificate.ts'
import { IdentityError } from './error.ts'
import { decodeBase64 } from './pem.ts'
import type { TrustDomain } from './trust-domain.ts'

/**
 * A trust domain's authorities (SPIFFE_Trust_Domain_and_Bundle.md). The name comes from configuration, never from the
 * document. A bundle without authorities is a valid one that trusts nobody: so a trust domain revokes everything.
 */
export interface TrustBundle {
  readonly trustDomain: TrustDomain
  readonly x509Authorities: readonly Certificate[]
  /** Grows with each change; 64 bits, hence no `number`. */
  readonly sequence: bigint
  /** How often to look for a newer one. */
  readonly refreshHintSeconds: number | undefined
}

const MAX_BUNDLE_CHARACTERS = 4 * 1024 * 1024
const X509_SVID_USE = 'x509-svid'
/** Key types of RFC 7518, RFC 8037 and the post-quantum drafts; an entry of any other is ignored (rule 47). */
const KNOWN_KEY_TYPES = new Set<unknown>(['EC', 'RSA', 'OKP', 'AKP'])

/**
 * A SPIFFE bundle document (JWK Set). Ignored, by the standard: entries whose `use` or `kty` is missing or unknown,
 * entries without `x5c`, further `x5c` values, and unknown members (rules 29, 44-48); ignored too are authorities whose
 * algorithm is not supported here. Anything else that does not read refuses the document as a whole, so that a damaged
 * update cannot quietly withdraw an authority. Throws `ERR_TRUST_BUNDLE`.
 */
export function parseTrustBundle(json: string, trustDomain: TrustDomain): TrustBundle {
  const document = parseJson(json)
  if (!isObject(document) || !Array.isArray(document['keys'])) throw refusal('it has no "keys" array')
  const keys: unknown[] = document['keys']
  return Object.freeze({
    trustDomain,
    x509Authorities: Object.freeze(keys.flatMap(readAuthority)),
    sequence: readInteger(document['spiffe_sequence'], 'spiffe_sequence') ?? 0n,
    refreshHintSeconds: toSeconds(readInteger(document['spiffe_refresh_hint'], 'spiffe_refresh_hint')),
  })
}

/** The bundle as a SPIFFE document, one JWK to each authority (rule 28). */
export function encodeTrustBundle(bundle: TrustBundle): string {
  const keys = bundle.x509Authorities.map((authority) => ({
    use: X509_SVID_USE,
    ...authority.publicKey.export({ format: 'jwk' }),
    x5c: [authority.der.toString('base64')],
  }))
  const hint = bundle.refreshHintSeconds
  const members = [
    `"keys": ${JSON.stringify(keys, undefined, 2).replaceAll('\n', '\n  ')}`,
    `"spiffe_sequence": ${bundle.sequence}`,
    ...(hint === undefined ? [] : [`"spiffe_refresh_hint": ${hint}`]),
  ]
  return `{\n${members.map((member) => `  ${member}`).join(',\n')}\n}\n`
}

/** The authorities of a PEM file, of which there must be one at least: an empty file is a mistake. */
export function parseTrustBundlePem(pem: string, trustDomain: TrustDomain): TrustBundle {
  const x509Authorities = Object.freeze(parseCertificatesPem(pem))
  return Object.freeze({ trustDomain, x509Authorities, sequence: 0n, refreshHintSeconds: undefined })
}

export function encodeTrustBundlePem(bundle: TrustBundle): string {
  return encodeCertificatesPem(bundle.x509Authorities)
}

/** JSON whose integers arrive as `bigint`, read from their digits: `JSON.parse` alone rounds above 2^53. */
function parseJson(json: string): unknown {
  if (json.length > MAX_BUNDLE_CHARACTERS) throw refusal('it is too long')
  try {
    return JSON.parse(json, (_key, value: unknown, context?: { source?: string }) =>
      typeof value === 'number' && /^-?\d+$/.test(context?.source ?? '') ? BigInt(context!.source!) : value,
    )
  } catch (cause) {
    throw new IdentityError('ERR_TRUST_BUNDLE', 'the trust bundle is not JSON', { cause })
  }
}

function readAuthority(entry: unknown): Certificate[] {
  if (!isObject(entry)) throw refusal('an entry of "keys" is not an object')
  if (entry['use'] !== X509_SVID_USE || !KNOWN_KEY_TYPES.has(entry['kty'])) return []
  const x5c: unknown = entry['x5c']
  if (x5c === undefined || (Array.isArray(x5c) && x5c.length === 0)) return []
  const first: unknown = Array.isArray(x5c) ? x5c[0] : undefined
  if (typeof first !== 'string') throw refusal('an "x5c" is not a list of texts')
  const authority = readCertificate(first)
  if (!authority) return []
  for (const [member, value] of Object.entries(authority.publicKey.export({ format: 'jwk' }))) {
    if (Object.hasOwn(entry, member) && entry[member] !== value) throw refusal('a key is not that of its certificate')
  }
  return [authority]
}

function readCertificate(base64: string): Certificate | undefined {
  try {
    return parseCertificate(decodeBase64(base64, 'an "x5c" value'))
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

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function refusal(fault: string): IdentityError {
  return new IdentityError('ERR_TRUST_BUNDLE', `the trust bundle is refused: ${fault}`)
}
