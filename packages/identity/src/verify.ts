import type { Certificate } from './certificate.ts'
import { breaksNameConstraints } from './name-constraints.ts'
import { NO_REVOCATIONS, type RevocationList } from './revocation.ts'
import type { BundleSource } from './source.ts'
import type { SpiffeId } from './spiffe-id.ts'
import { MAX_CHAIN_CERTIFICATES, toLeafId } from './svid.ts'
import { lintAuthority, lintLeaf, type LintFinding } from './svid-lint.ts'
import { refuseExtensions, refuseSvid, type SvidRefusal } from './svid-refusal.ts'

/**
 * The one answer to "who is this?". The leaf says its trust domain, and only authorities of that trust domain's own
 * bundle count (rules 13, 49): a pool of all authorities would let any partner name our workloads. The path is built
 * over parsed DER with node:crypto's signature check alone; the TLS library's verdict plays no part, since it knows
 * neither SPIFFE's rules nor one bundle per trust domain. A peer chooses what it sends, so the search is bounded in
 * certificates and in signature checks.
 */
export interface VerifiedSvid {
  readonly kind: 'verified'
  readonly id: SpiffeId
  readonly leaf: Certificate
  /** Leaf first, the bundle's authority last. */
  readonly path: readonly Certificate[]
  /** When the first certificate of the path expires. */
  readonly notAfter: Date
}

export interface VerifyOptions {
  /** Also what the standards ask of issuers alone, of the leaf and of each authority above it (rules 14, 17, 19-23). */
  readonly strict?: boolean
}

export interface VerifiedPath {
  readonly kind: 'verified'
  readonly path: readonly Certificate[]
  readonly notAfter: Date
}

/** Clocks differ: a certificate may be used this much before it is valid. There is no such allowance after expiry. */
export const NOT_BEFORE_ALLOWANCE_MS = 60_000
const MAX_SIGNATURE_CHECKS = 32
/** RSA of 8192 bits with the longest exponent takes 0.75 ms to check, all keys of usual sizes up to 0.2 ms. */
const DEAR_SIGNATURE_CHECKS = 4

/** Verifies a peer's chain, leaf first, at the instant `now`. Never throws on what a peer sends. */
export function verifyX509Svid(
  chain: readonly Certificate[],
  bundles: BundleSource,
  now: Date,
  options: VerifyOptions = {},
): VerifiedSvid | SvidRefusal {
  const [leaf] = chain
  if (!leaf) return refuseSvid('empty-chain')
  if (chain.length > MAX_CHAIN_CERTIFICATES) return refuseSvid('chain-too-long')
  const id = toLeafId(leaf)
  if ('kind' in id) return id
  const bundle = bundles.bundleFor(id.trustDomain)
  if (bundle?.trustDomain.name !== id.trustDomain.name) return refuseSvid('no-bundle', id.trustDomain.name)
  const { revocations = NO_REVOCATIONS } = bundles
  const verdict = searchPath(chain, bundle.x509Authorities, now, { id, list: revocations })
  if (verdict.kind === 'refused') return verdict
  const [finding] = options.strict ? lintPath(verdict.path) : []
  return finding ? refuseSvid('issuer-rules', finding.fault, finding.rule) : { ...verdict, id, leaf }
}

function lintPath([leaf, ...authorities]: readonly Certificate[]): LintFinding[] {
  return [...lintLeaf(leaf!), ...authorities.flatMap(lintAuthority)]
}

/**
 * Verifies a chain to one of `authorities` by RFC 5280 alone, for certificates that are no SVIDs: a machine's own, whose
 * key signs a challenge. The first certificate may have any names; it is no authority, and its key may sign.
 */
export function verifyCertificatePath(
  chain: readonly Certificate[],
  authorities: readonly Certificate[],
  now: Date,
): VerifiedPath | SvidRefusal {
  const [leaf] = chain
  if (!leaf) return refuseSvid('empty-chain')
  if (chain.length > MAX_CHAIN_CERTIFICATES) return refuseSvid('chain-too-long')
  if (leaf.isCa) return refuseSvid('not-a-leaf', 'it has the CA flag', 'RFC 5280 4.2.1.9')
  if (leaf.keyUsage && !leaf.keyUsage.includes('digitalSignature')) {
    return refuseSvid('bad-key-usage', 'it may not sign', 'RFC 5280 4.2.1.3')
  }
  if (leaf.unknownCriticalExtensions.length > 0) {
    return refuseExtensions(leaf.unknownCriticalExtensions)
  }
  return searchPath(chain, authorities, now, undefined)
}

interface Search {
  readonly authorities: readonly Certificate[]
  readonly intermediates: readonly Certificate[]
  readonly now: Date
  /** What must not be on the path; undefined when nothing is revoked. */
  readonly revoked: { readonly id: SpiffeId; readonly list: RevocationList } | undefined
  signatureChecks: number
  /** Why the most promising candidate failed. */
  fault: SvidRefusal | undefined
}

function searchPath(
  [leaf, ...intermediates]: readonly Certificate[],
  authorities: readonly Certificate[],
  now: Date,
  revoked: Search['revoked'],
): VerifiedPath | SvidRefusal {
  if (isNotYetValid(leaf!, now)) return refuseSvid('not-yet-valid', `before ${leaf!.notBefore.toISOString()}`)
  if (isExpired(leaf!, now)) return refuseSvid('expired', `since ${leaf!.notAfter.toISOString()}`)
  const isWatched = revoked !== undefined && revoked.list.subjects.length > 0
  const search: Search = {
    authorities,
    intermediates,
    now,
    revoked: isWatched ? revoked : undefined,
    signatureChecks: 0,
    fault: undefined,
  }
  const path = findPath([leaf!], search)
  if (!path) return search.fault ?? refuseSvid('unknown-authority', revoked?.id.trustDomain.name)
  const notAfter = new Date(Math.min(...path.map((certificate) => certificate.notAfter.getTime())))
  return { kind: 'verified', path, notAfter }
}

/** Depth first; each step costs a signature check that succeeded, so the budget bounds the whole. */
function findPath(below: readonly Certificate[], search: Search): readonly Certificate[] | undefined {
  const last = below.at(-1)!
  for (const issuer of search.authorities) {
    if (!isCandidate(issuer, last) || !accepts(issuer, below, search)) continue
    const path = [...below, issuer]
    if (keepsNameConstraints(path)) return path
    search.fault = refuseSvid('name-constraints')
  }
  for (const issuer of search.intermediates) {
    if (below.includes(issuer) || !isCandidate(issuer, last) || !accepts(issuer, below, search)) continue
    const path = findPath([...below, issuer], search)
    if (path) return path
  }
  return undefined
}

/** Named as the issuer, and by key identifier where both sides have one: roots of one name cost no signature checks. */
function isCandidate(issuer: Certificate, subject: Certificate): boolean {
  if (!issuer.subject.equals(subject.issuer)) return false
  const { authorityKeyId } = subject
  return !authorityKeyId || !issuer.subjectKeyId || authorityKeyId === issuer.subjectKeyId
}

/** RFC 5280 section 6.1.4: may `issuer` stand above this path, and did it sign the certificate that now ends it? */
function accepts(issuer: Certificate, below: readonly Certificate[], search: Search): boolean {
  const fault = faultOf(issuer, below, search)
  search.fault = fault ?? search.fault
  return fault === undefined
}

function faultOf(issuer: Certificate, below: readonly Certificate[], search: Search): SvidRefusal | undefined {
  const { now } = search
  if (!issuer.isCa) return refuseSvid('bad-issuer', 'it is not an authority')
  if (issuer.keyUsage && !issuer.keyUsage.includes('keyCertSign')) {
    return refuseSvid('bad-issuer', 'its key is not for signing certificates')
  }
  if (issuer.unknownCriticalExtensions.length > 0) {
    return refuseExtensions(issuer.unknownCriticalExtensions)
  }
  if (isNotYetValid(issuer, now) || isExpired(issuer, now)) {
    return refuseSvid('issuer-expired', `${issuer.notBefore.toISOString()} to ${issuer.notAfter.toISOString()}`)
  }
  if (issuer.pathLen !== undefined && intermediatesIn(below) > issuer.pathLen) return refuseSvid('path-too-long')
  search.signatureChecks += isDear(issuer) ? DEAR_SIGNATURE_CHECKS : 1
  if (search.signatureChecks > MAX_SIGNATURE_CHECKS) return refuseSvid('too-many-signatures')
  if (!isSignedBy(below.at(-1)!, issuer)) return refuseSvid('bad-signature')
  return revocationOf([...below, issuer], search)
}

/** Asked for each step, so that a path around a revoked authority is still found. */
function revocationOf(path: readonly Certificate[], { revoked }: Search): SvidRefusal | undefined {
  const subject = revoked?.list.findX509(revoked.id, path)
  return subject && refuseSvid('revoked', `${subject.kind} ${subject.value}`)
}

/** Self-issued certificates do not count (RFC 5280 section 6.1.4 (l)). */
function intermediatesIn(path: readonly Certificate[]): number {
  return path.slice(1).filter((certificate) => !isSelfIssued(certificate)).length
}

/**
 * Each issuer's constraints hold for all below it: the leaf, and above it what is not self-issued (RFC 5280 section 6.1.3
 * (b)). Asked of whole paths alone: comparing names is dear, and whoever has no authority's signature could have us
 * compare hundreds with hundreds at each step of the search.
 */
function keepsNameConstraints(path: readonly Certificate[]): boolean {
  return path.every((issuer, at) => {
    if (!issuer.nameConstraints) return true
    const constrained = path.slice(0, at).filter((certificate, index) => index === 0 || !isSelfIssued(certificate))
    return !constrained.some((certificate) => breaksNameConstraints(certificate, issuer))
  })
}

function isSelfIssued({ subject, issuer }: Certificate): boolean {
  return subject.equals(issuer)
}

/** RSA of no usual size, which may be twice the largest of those. */
function isDear({ keyAlgorithm }: Certificate): boolean {
  return keyAlgorithm === 'rsa'
}

function isSignedBy(certificate: Certificate, issuer: Certificate): boolean {
  try {
    return certificate.isSignedWith(issuer.publicKey)
  } catch {
    return false
  }
}

function isNotYetValid({ notBefore }: Certificate, now: Date): boolean {
  return now.getTime() < notBefore.getTime() - NOT_BEFORE_ALLOWANCE_MS
}

function isExpired({ notAfter }: Certificate, now: Date): boolean {
  return now.getTime() > notAfter.getTime()
}
