import { decodeBase64Url } from './jwk.ts'
import { isJwtAlgorithm, type JwtAlgorithm } from './jwt-svid-algorithm.ts'
import { refuseJwtSvid, type JwtSvidRefusal } from './jwt-svid-refusal.ts'
import { isJsonObject, parseStrictJson } from './strict-json.ts'

/** A token taken apart by its form alone: nothing in it has been proved. */
export interface UnverifiedToken {
  readonly algorithm: JwtAlgorithm
  readonly keyId: string | undefined
  readonly claims: Readonly<Record<string, unknown>>
  /** What the signature is over: header and claims as they were sent. */
  readonly signed: Buffer
  readonly signature: Buffer
}

export const MAX_TOKEN_CHARACTERS = 16 * 1024
const HEADER_MEMBERS = new Set(['alg', 'kid', 'typ'])
const TYPES = new Set<unknown>([undefined, 'JWT', 'JOSE'])

/**
 * The compact serialization (RFC 7515 section 3.1, rules 30-34). There is one way to write each part, so a token cannot
 * be changed without its signature noticing. The algorithm is looked at before anything else of the header.
 */
export function readToken(token: string): UnverifiedToken | JwtSvidRefusal {
  if (token.length > MAX_TOKEN_CHARACTERS) return refuseJwtSvid('too-long')
  const parts = token.split('.', 6)
  if (parts.length !== 3) return refuseJwtSvid('not-compact', FORMS[parts.length])
  const [header, payload, signature] = parts.map(decodeBase64Url)
  if (!header || !payload || !signature) return refuseJwtSvid('bad-encoding')
  const members = readObject(header)
  if (!members) return refuseJwtSvid('bad-header')
  const { alg: algorithm, kid: keyId } = members
  if (!isJwtAlgorithm(algorithm)) return refuseJwtSvid('bad-algorithm')
  if (!TYPES.has(members['typ'])) return refuseJwtSvid('bad-type')
  if (Object.keys(members).some((member) => !HEADER_MEMBERS.has(member))) return refuseJwtSvid('bad-header-member')
  if (keyId !== undefined && (typeof keyId !== 'string' || keyId === '')) return refuseJwtSvid('bad-key-id')
  const claims = readObject(payload)
  if (!claims) return refuseJwtSvid('bad-claims')
  const signed = Buffer.from(token.slice(0, token.lastIndexOf('.')), 'latin1')
  return { algorithm, keyId, claims, signed, signature }
}

const FORMS: Readonly<Record<number, string>> = { 1: 'it has one part', 2: 'it is not signed', 5: 'it is encrypted' }

function readObject(json: Buffer): Record<string, unknown> | undefined {
  try {
    const value = parseStrictJson(json, { maxLength: MAX_TOKEN_CHARACTERS })
    return isJsonObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
