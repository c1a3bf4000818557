import { randomBytes } from 'node:crypto'
import { systemClock, type Clock } from '@picket/runtime'
import { createCertificate, parseCertificate, type Certificate } from './certificate.ts'
import { EMPTY_NAME, encodeName } from './distinguished-name.ts'
import {
  authorityKeyId,
  basicConstraints,
  extendedKeyUsage,
  keyUsage,
  nameConstraints,
  subjectAltName,
  subjectKeyId,
  type Extension,
  type KeyUsage,
} from './extension.ts'
import type { KeyAlgorithm } from './key-algorithm.ts'
import { generateKeyPair, type KeyPair } from './key-pair.ts'
import { OID } from './oid.ts'
import { toPublicKeyInfo } from './public-key.ts'
import { createBundleSource, type BundleSet } from './source.ts'
import { toSpiffeId } from './spiffe-id.ts'
import { toX509Svid, type X509Svid } from './svid.ts'
import type { TrustBundle } from './trust-bundle.ts'
import { parseTrustDomain, type TrustDomain } from './trust-domain.ts'

const HOUR_MS = 3_600_000

export interface TestAuthorityOptions {
  /** For the default dates; the system's unless told. */
  readonly clock?: Clock
  readonly algorithm?: KeyAlgorithm
  readonly keyPair?: KeyPair
  readonly notBefore?: Date
  readonly notAfter?: Date
  readonly pathLen?: number
  /** DER of the Name; a distinct one unless told. */
  readonly subject?: Buffer
  readonly isCa?: boolean
  readonly keyUsage?: readonly KeyUsage[]
  /** URI hosts that it may issue for. */
  readonly permitted?: readonly string[]
  readonly excluded?: readonly string[]
  /** Added, or in the place of the usual one of their kind. */
  readonly extraExtensions?: readonly Extension[]
  /** Extensions to leave out, by object identifier. */
  readonly without?: readonly string[]
}

/** Every way in which a test may want its SVID different from a good one. */
export interface TestSvidOptions {
  readonly notBefore?: Date
  readonly notAfter?: Date
  /** Instead of the one SPIFFE ID: none, two, something else. */
  readonly uris?: readonly string[]
  readonly dnsNames?: readonly string[]
  readonly isCa?: boolean
  readonly keyUsage?: readonly KeyUsage[]
  readonly extendedKeyUsage?: readonly string[]
  /** DER of the Name; empty unless told. */
  readonly subject?: Buffer
  readonly algorithm?: KeyAlgorithm
  readonly keyPair?: KeyPair
  /** The key that signs, instead of the authority's: a forgery. */
  readonly signedWith?: KeyPair
  readonly serialNumber?: Uint8Array
  /** Added, or in the place of the usual one of their kind. */
  readonly extraExtensions?: readonly Extension[]
  /** Extensions to leave out, by object identifier. */
  readonly without?: readonly string[]
}

/** A throw-away authority with keys made on the spot. What it issues is not checked: it is for tests of checks. */
export interface TestAuthority {
  readonly trustDomain: TrustDomain
  readonly certificate: Certificate
  readonly keyPair: KeyPair
  readonly bundle: TrustBundle
  /** A bundle source that knows this authority's bundle alone. */
  readonly bundles: BundleSet
  /** An SVID for `path` (`/payments`), good for an hour from a minute ago unless told otherwise. */
  issueSvid(path: string, options?: TestSvidOptions): X509Svid
  /** An authority below this one; its SVIDs carry the chain, its bundle is still the root's. */
  issueAuthority(options?: TestAuthorityOptions): TestAuthority
}

const shared = new Map<KeyAlgorithm, KeyPair>()

/** One pair of each algorithm for all who do not mind: a large RSA key takes seconds to make. */
export function sharedKeyPair(algorithm: KeyAlgorithm): KeyPair {
  const keyPair = shared.get(algorithm) ?? generateKeyPair(algorithm)
  shared.set(algorithm, keyPair)
  return keyPair
}

export function createTestAuthority(
  trustDomain: TrustDomain | string,
  options: TestAuthorityOptions = {},
): TestAuthority {
  const domain = typeof trustDomain === 'string' ? parseTrustDomain(trustDomain) : trustDomain
  return createAuthority(domain, options, undefined)
}

interface Parent {
  readonly authority: TestAuthority
  readonly chain: readonly Certificate[]
}

function createAuthority(
  trustDomain: TrustDomain,
  options: TestAuthorityOptions,
  parent: Parent | undefined,
): TestAuthority {
  const clock = options.clock ?? systemClock
  const keyPair = options.keyPair ?? generateKeyPair(options.algorithm)
  const certificate = createAuthorityCertificate(trustDomain, keyPair, options, parent?.authority)
  const chain = parent ? [certificate, ...parent.chain] : []
  const bundle: TrustBundle = parent?.authority.bundle ?? {
    trustDomain,
    x509Authorities: [certificate],
    jwtAuthorities: [],
    sequence: 1n,
    refreshHintSeconds: undefined,
  }
  const authority: TestAuthority = {
    trustDomain,
    certificate,
    keyPair,
    bundle,
    bundles: createBundleSource([bundle]),
    issueSvid(path, svidOptions = {}) {
      const leafKeys = svidOptions.keyPair ?? generateKeyPair(svidOptions.algorithm)
      const leaf = createLeaf(authority, path, leafKeys, svidOptions, clock)
      return toX509Svid(toSpiffeId(trustDomain, path), [leaf, ...chain], leafKeys.privateKey)
    },
    issueAuthority: (below = {}) => createAuthority(trustDomain, { clock, ...below }, { authority, chain }),
  }
  return authority
}

function createAuthorityCertificate(
  trustDomain: TrustDomain,
  keyPair: KeyPair,
  options: TestAuthorityOptions,
  issuer: TestAuthority | undefined,
): Certificate {
  const now = (options.clock ?? systemClock).now()
  const serialNumber = randomBytes(16)
  const subject =
    options.subject ??
    encodeName([
      { oid: OID.organization, value: trustDomain.name },
      { oid: OID.serialNumber, value: serialNumber.toString('hex') },
    ])
  const info = toPublicKeyInfo(keyPair.publicKey)
  const { permitted = [], excluded = [], extraExtensions = [] } = options
  const usual = [
    basicConstraints(options.isCa ?? true, options.pathLen),
    keyUsage(options.keyUsage ?? ['keyCertSign', 'cRLSign']),
    subjectAltName({ uris: [trustDomain.id] }, false),
    subjectKeyId(info.keyId),
    ...(issuer ? [authorityKeyId(toPublicKeyInfo(issuer.keyPair.publicKey).keyId)] : []),
    ...(permitted.length + excluded.length > 0 ? [nameConstraints(permitted, excluded)] : []),
  ].filter(({ oid }) => !options.without?.includes(oid) && !extraExtensions.some((extra) => extra.oid === oid))
  const template = {
    serialNumber,
    issuer: issuer?.certificate.subject ?? subject,
    subject,
    notBefore: options.notBefore ?? new Date(now - 60_000),
    notAfter: options.notAfter ?? new Date(now + 24 * HOUR_MS),
    publicKeyInfo: info.der,
    extensions: [...usual, ...extraExtensions],
  }
  return parseCertificate(createCertificate(template, (issuer?.keyPair ?? keyPair).privateKey))
}

function createLeaf(
  authority: TestAuthority,
  path: string,
  keyPair: KeyPair,
  options: TestSvidOptions,
  clock: Clock,
): Certificate {
  const uris = options.uris ?? [authority.trustDomain.id + path]
  const dnsNames = options.dnsNames ?? []
  const subject = options.subject ?? EMPTY_NAME
  const info = toPublicKeyInfo(keyPair.publicKey)
  const extras = options.extraExtensions ?? []
  const usual = [
    basicConstraints(options.isCa ?? false),
    keyUsage(options.keyUsage ?? ['digitalSignature']),
    extendedKeyUsage(options.extendedKeyUsage ?? [OID.serverAuth, OID.clientAuth]),
    ...(uris.length + dnsNames.length > 0 ? [subjectAltName({ uris, dnsNames }, subject.equals(EMPTY_NAME))] : []),
    subjectKeyId(info.keyId),
    authorityKeyId(toPublicKeyInfo(authority.keyPair.publicKey).keyId),
  ].filter(({ oid }) => !options.without?.includes(oid) && !extras.some((extra) => extra.oid === oid))
  const template = {
    serialNumber: options.serialNumber ?? randomBytes(16),
    issuer: authority.certificate.subject,
    subject,
    notBefore: options.notBefore ?? new Date(clock.now() - 60_000),
    notAfter: options.notAfter ?? new Date(clock.now() + HOUR_MS),
    publicKeyInfo: info.der,
    extensions: [...usual, ...extras],
  }
  return parseCertificate(createCertificate(template, (options.signedWith ?? authority.keyPair).privateKey))
}
