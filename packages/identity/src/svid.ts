import type { Certificate } from './certificate.ts'
import { IdentityError } from './error.ts'
import { toKeyPair, type PrivateKey } from './key-pair.ts'
import { OID } from './oid.ts'
import { toPublicKeyInfo } from './public-key.ts'
import { parseSpiffeId, type SpiffeId } from './spiffe-id.ts'
import { refuseExtensions, refuseSvid, type SvidRefusal } from './svid-refusal.ts'

/** A workload's own X.509-SVID with its private key. */
export interface X509Svid {
  readonly id: SpiffeId
  /** Leaf first, then intermediates; the root stays in the trust bundle. */
  readonly chain: readonly Certificate[]
  readonly privateKey: PrivateKey
  /** The span in which every certificate of the chain is valid. */
  readonly notBefore: Date
  readonly notAfter: Date
}

/** The most certificates in a chain, leaf included. */
export const MAX_CHAIN_CERTIFICATES = 8

/**
 * A chain and its key → an SVID of ours, by the leaf rules of X509-SVID.md sections 2 to 5. Whether anybody trusts it is
 * `verifyX509Svid`'s question. Throws `ERR_SVID`.
 */
export function parseX509Svid(chain: readonly Certificate[], privateKey: PrivateKey): X509Svid {
  const [leaf, ...intermediates] = chain
  if (!leaf) throw notAnSvid('the chain is empty')
  if (chain.length > MAX_CHAIN_CERTIFICATES) throw notAnSvid('the chain is too long')
  const id = toLeafId(leaf)
  if ('kind' in id) throw notAnSvid(id.message)
  if (!intermediates.every(({ isCa }) => isCa)) throw notAnSvid('a certificate after the first is not an authority')
  if (!toPublicKeyInfo(toKeyPair(privateKey).publicKey).der.equals(leaf.publicKeyInfo.der)) {
    throw notAnSvid('the private key is not that of the first certificate')
  }
  return toX509Svid(id, chain, privateKey)
}

/** Joins parts that belong together; the dates are those that the whole chain shares. */
export function toX509Svid(id: SpiffeId, chain: readonly Certificate[], privateKey: PrivateKey): X509Svid {
  const notBefore = new Date(Math.max(...chain.map((certificate) => certificate.notBefore.getTime())))
  const notAfter = new Date(Math.min(...chain.map((certificate) => certificate.notAfter.getTime())))
  return Object.freeze({ id, chain: Object.freeze([...chain]), privateKey, notBefore, notAfter })
}

/**
 * The identity that a leaf claims, or why it cannot be anybody's: what every verifier must check on the leaf itself
 * (X509-SVID.md section 5.2, rules 14, 16, 18, 20, 22, 24 and 27). What the specification demands of issuers alone is
 * left to `lintX509Svid`: a key usage that is absent or not critical is not refused here.
 */
export function toLeafId(leaf: Certificate): SpiffeId | SvidRefusal {
  const { keyUsage, extendedKeyUsage, uriSans } = leaf
  if (leaf.isCa) return refuseSvid('not-a-leaf', 'it has the CA flag')
  if (keyUsage && (keyUsage.includes('keyCertSign') || keyUsage.includes('cRLSign'))) {
    return refuseSvid('not-a-leaf', 'its key is for signing certificates', 'X509-SVID 4.3 (rules 20, 27)')
  }
  if (leaf.unknownCriticalExtensions.length > 0) {
    return refuseExtensions(leaf.unknownCriticalExtensions)
  }
  if (keyUsage && !keyUsage.includes('digitalSignature')) return refuseSvid('bad-key-usage', 'it may not sign')
  if (extendedKeyUsage && !PURPOSES.every((purpose) => extendedKeyUsage.includes(purpose))) {
    return refuseSvid('bad-key-usage', 'it is not for servers and clients both', 'X509-SVID 4.4 (rule 22)')
  }
  if (uriSans.length !== 1) return refuseSvid('bad-san', `it has ${uriSans.length}`)
  return toWorkloadId(uriSans[0]!)
}

const PURPOSES = [OID.serverAuth, OID.clientAuth]

function toWorkloadId(uri: string): SpiffeId | SvidRefusal {
  try {
    const id = parseSpiffeId(uri)
    return id.path === '' ? refuseSvid('bad-spiffe-id', 'it has no path', 'X509-SVID 3.1 (rule 16)') : id
  } catch (thrown) {
    const { message, rule } = thrown as IdentityError
    return refuseSvid('bad-spiffe-id', message, rule)
  }
}

function notAnSvid(fault: string): IdentityError {
  return new IdentityError('ERR_SVID', `not an X.509-SVID: ${fault}`)
}
