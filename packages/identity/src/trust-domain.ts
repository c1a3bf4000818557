import { IdentityError } from './error.ts'

/** A trust domain (SPIFFE-ID.md 2.1): the name of one signing authority and of everything that it vouches for. */
export interface TrustDomain {
  /** Lower-case name, at most 255 bytes: `bank.test`. */
  readonly name: string
  /** The name as a SPIFFE ID without a path: `spiffe://bank.test`. */
  readonly id: string
}

/** SPIFFE-ID.md 2.3: what a verifier must support, and the most that it needs to. */
const MAX_NAME_BYTES = 255

/**
 * A trust domain's bare name → `TrustDomain`. Names get no DNS or IP treatment: `a..b`, `_` and `10.0.0.1` are legal
 * (SPIFFE-ID.md 2.1). Throws `ERR_TRUST_DOMAIN`.
 */
export function parseTrustDomain(name: string): TrustDomain {
  if (name === '') throw new IdentityError('ERR_TRUST_DOMAIN', 'the trust domain name is empty')
  if (name.length > MAX_NAME_BYTES) {
    throw new IdentityError('ERR_TRUST_DOMAIN', `the trust domain name is longer than ${MAX_NAME_BYTES} bytes`)
  }
  if (!/^[a-z0-9._-]+$/.test(name)) {
    throw new IdentityError('ERR_TRUST_DOMAIN', 'a trust domain name holds only a-z, 0-9, ".", "-" and "_"')
  }
  return Object.freeze({ name, id: `spiffe://${name}` })
}
