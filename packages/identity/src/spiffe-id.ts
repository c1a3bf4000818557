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
const FAULTS: readonly (readonly [RegExp, string])[] = [
  [/^(?!spiffe:\/\/)/, 'it does not start with "spiffe://" in lower case'],
  [/[?]/, 'it has a query'],
  [/#/, 'it has a fragment'],
  [/%/, 'it has percent-encoding'],
  [/@/, 'it has user information'],
  [/^spiffe:\/\/[^/]*:/, 'it has a port'],
  [/^spiffe:\/\/(?:\/|$)/, 'the trust domain is empty'],
  [/^spiffe:\/\/[^/]*[^a-z0-9._/-]/, 'the trust domain holds characters other than a-z, 0-9, ".", "-" and "_"'],
  [/^spiffe:\/\/.*\/$/s, 'it ends with a slash'],
  [/^spiffe:\/\/.*\/\//s, 'it has an empty path segment'],
  [/^spiffe:\/\/[^/]*\/(?:.*\/)?\.\.?(?:\/|$)/s, 'it has a "." or ".." path segment'],
  [/^spiffe:\/\/[^/]*\/.*[^a-zA-Z0-9._/-]/s, 'the path holds characters other than a-z, A-Z, 0-9, ".", "-" and "_"'],
]

/** A URI → `SpiffeId` by SPIFFE-ID.md section 2 (rules 1-10). Throws `ERR_SPIFFE_ID`, which names the rule broken. */
export function parseSpiffeId(uri: string): SpiffeId {
  if (uri.length > MAX_URI_BYTES) throw refusal(`it is longer than ${MAX_URI_BYTES} bytes`)
  const fault = FAULTS.find(([pattern]) => pattern.test(uri))
  if (fault) throw refusal(fault[1])
  const slash = uri.indexOf('/', SCHEME.length)
  const pathAt = slash < 0 ? uri.length : slash
  return Object.freeze({ uri, trustDomain: domainOf(uri.slice(SCHEME.length, pathAt)), path: uri.slice(pathAt) })
}

/** The ID of `path` (`""` or `/a/b`) in a trust domain. Throws `ERR_SPIFFE_ID`. */
export function toSpiffeId(trustDomain: TrustDomain, path: string): SpiffeId {
  if (path !== '' && !path.startsWith('/')) throw refusal('the path does not start with a slash')
  return parseSpiffeId(trustDomain.id + path)
}

function domainOf(name: string): TrustDomain {
  try {
    return parseTrustDomain(name)
  } catch (cause) {
    throw new IdentityError('ERR_SPIFFE_ID', `not a SPIFFE ID: ${(cause as Error).message}`, { cause })
  }
}

function refusal(fault: string): IdentityError {
  return new IdentityError('ERR_SPIFFE_ID', `not a SPIFFE ID: ${fault}`)
}
