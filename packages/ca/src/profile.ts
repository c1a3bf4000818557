import { KEY_ALGORITHMS, type KeyAlgorithm, type KeyUsage } from '@picket/identity'

/**
 * What the certificates of this CA look like, in figures. A leaf's subject is empty and its SAN therefore critical: the
 * SPIFFE ID is the whole identity (X509-SVID.md section 2). An authority's subject holds the trust domain and its own
 * serial number, so that no two authorities share a name and verifiers need not try several of the same subject.
 */
export const SERIAL_BYTES = 16
/** Certificates are valid from a little before now, for peers whose clocks are behind. */
export const BACKDATE_MS = 30_000
export const DEFAULT_SVID_TTL_MS = 3_600_000
export const DEFAULT_JWT_SVID_TTL_MS = 300_000
/** The longest that a bearer token lives, whatever was asked. */
export const MAX_JWT_SVID_TTL_MS = 3_600_000
/** See docs/decisions/004-authority-life.md. */
export const DEFAULT_AUTHORITY_TTL_MS = 30 * 86_400_000
/** How long an expired old authority is still in the bundle: nothing depends on it any more. */
export const EXPIRED_KEPT_MS = 86_400_000
/** Of one kind, old ones included: a bundle stays small however often somebody rotates. */
export const MAX_AUTHORITIES = 16
export const REFRESH_HINT_SECONDS = 300
export const DEFAULT_AUTHORITY_ALGORITHM: KeyAlgorithm = 'ec-p256'
export const DEFAULT_JWT_AUTHORITY_ALGORITHM: KeyAlgorithm = 'ec-p256'
export const DEFAULT_SVID_ALGORITHM: KeyAlgorithm = 'ec-p256'
export const AUTHORITY_KEY_USAGE: readonly KeyUsage[] = ['keyCertSign', 'cRLSign']
export const SVID_KEY_USAGE: readonly KeyUsage[] = ['digitalSignature']
export const MAX_DNS_NAMES = 16
export const MAX_AUDIENCES = 16
export const MAX_AUDIENCE_CHARACTERS = 1024
/** Certificates count in whole seconds. */
export const MIN_TTL_MS = 1000
/** The last instant that a certificate can name (RFC 5280 section 4.1.2.5). */
export const LAST_INSTANT_MS = Date.UTC(9999, 11, 31, 23, 59, 59)

const LABEL = '[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?'
const DNS_NAME = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`)

/** A host name in lower case, complete: no wildcard, which would speak for workloads that nobody named. */
export function isDnsName(name: string): boolean {
  return name.length <= 253 && DNS_NAME.test(name)
}

export function isKeyAlgorithm(value: unknown): value is KeyAlgorithm {
  return KEY_ALGORITHMS.some((algorithm) => algorithm === value)
}
