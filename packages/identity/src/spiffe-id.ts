import { IdentityError } from './error.ts'
import { parseTrustDomain, type TrustDomain } from './trust-domain.ts'

/** A SPIFFE ID. Two IDs are the same exactly when their `uri` strings are. */
export interface SpiffeId {
  readonly uri: string
  readonly trustDomain: TrustDomain
  /** `""` for the trust domain's own ID, else `/a/b`. */
  readonly path: string
}

/** SPIFFE-ID.md 2.3. */
const MAX_URI_BYTES = 2048
const SCHEME = 'spiffe://'

/**
 * Checked in order, the first that matches names the fault. Anything that two URI parsers could read differently is
 * refused: bare `?`, `#`, `@` and `:`, percent-encoding, and upper case in scheme or trust domain (2.1 wins over 2.4).
 */
const FAULTS: readonly (readonly [pattern: RegExp, fault: string, rule: string])[] = [
  [/^(?=[a-z]*[A-Z])[sS][pP][iI][fF]{2}[eE]:/, 'its scheme is not in lower case', '2.1 (rule 10)'],
  [/^(?!spiffe:\/\/)/, 'it does not start with "spiffe://" in lower case', '2 (rule 1)'],
  [/[?]/, 'it has a query', '2 (rule 2)'],
  [/#/, 'it has a fragment', '2 (rule 2)'],
  [/^spiffe:\/\/[^/]*%/, 'it has percent-encoding in the trust domain', '2.1 (rule 4)'],
  [/%/, 'it has percent-encoding', '2.2 (rule 6)'],
  [/^spiffe:\/\/[^/]*@/, 'it has user information', '2 (rule 3)'],
  [/^spiffe:\/\/\[/, 'the trust domain is an IPv6 address', '2.1 (rule 5)'],
  [/^spiffe:\/\/[^/]*:/, 'it has a port', '2 (rule 3)'],
  [/^spiffe:\/\/(?:\/|$)/, 'the trust domain is empty', '2 (rule 1)'],
  [
    /^spiffe:\/\/[^/]*[^a-z0-9._/-]/,
    'the trust domain holds characters other than a-z, 0-9, ".", "-" and "_"',
    '2.1 (rule 4)',
  ],
  [/^spiffe:\/\/.*\/$/s, 'it ends with a slash', '2.2 (rule 7)'],
  [/^spiffe:\/\/.*\/\//s, 'it has an empty path segment', '2.2 (rule 7)'],
  [/^spiffe:\/\/[^/]*\/(?:.*\/)?\.\.?(?:\/|$)/s, 'it has a "." or ".." path segment', '2.2 (rule 7)'],
  [
    /^spiffe:\/\/[^/]*\/.*[^a-zA-Z0-9._/-]/s,
    'the path holds characters other than a-z, A-Z, 0-9, ".", "-" and "_"',
    '2.2 (rule 6)',
  ],
]

/** A URI → `SpiffeId` by SPIFFE-ID.md section 2 (rules 1-10). Throws `ERR_SPIFFE_ID`, which names the rule broken. */
export function parseSpiffeId(uri: string): SpiffeId {
  if (uri.length > MAX_URI_BYTES) throw refusal(`it is longer than ${MAX_URI_BYTES} bytes`, '2.3 (rule 8)')
  const fault = FAULTS.find(([pattern]) => pattern.test(uri))
  if (fault) throw refusal(fault[1], fault[2])
  const slash = uri.indexOf('/', SCHEME.length)
  const pathAt = slash < 0 ? uri.length : slash
  return Object.freeze({ uri, trustDomain: domainOf(uri.slice(SCHEME.length, pathAt)), path: uri.slice(pathAt) })
}

/** The ID of `path` (`""` or `/a/b`) in a trust domain. Throws `ERR_SPIFFE_ID`. */
export function toSpiffeId(trustDomain: TrustDomain, path: string): SpiffeId {
  if (path !== '' && !path.startsWith('/')) throw refusal('the path does not start with a slash', '2.2 (rule 7)')
  return parseSpiffeId(trustDomain.id + path)
}

/** What is left to find wrong with a name that holds legal characters is its length. */
function domainOf(name: string): TrustDomain {
  try {
    return parseTrustDomain(name)
  } catch (cause) {
    throw refusal((cause as Error).message, '2.3 (rule 8)', cause)
  }
}

function refusal(fault: string, rule: string, cause?: unknown): IdentityError {
  return new IdentityError('ERR_SPIFFE_ID', `not a SPIFFE ID: ${fault}`, { cause, rule: `SPIFFE-ID ${rule}` })
}
