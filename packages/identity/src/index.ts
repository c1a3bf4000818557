export { encodeBundleMap, parseBundleMap } from './bundle-map.ts'
export {
  createCertificate,
  encodeCertificatesPem,
  parseCertificate,
  parseCertificatesPem,
  type Certificate,
  type CertificateTemplate,
} from './certificate.ts'
export {
  createCrl,
  MAX_CRL_BYTES,
  MAX_REVOKED_CERTIFICATES,
  parseCrl,
  type Crl,
  type CrlTemplate,
  type RevokedCertificate,
} from './crl.ts'
export { createCsr, MAX_CSR_BYTES, parseCsr, type Csr } from './csr.ts'
export { EMPTY_NAME, encodeName } from './distinguished-name.ts'
export { IdentityError, type IdentityErrorCode } from './error.ts'
export {
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
export type { GeneralName, NameConstraints, NameKind } from './extension-reader.ts'
export { toJwtAuthority, type JwtAuthority, type JwtKeyAlgorithm } from './jwk.ts'
export {
  createJwtSvid,
  JWT_LEEWAY_MS,
  verifyJwtSvid,
  type JwtSvidClaims,
  type JwtSvidOptions,
  type VerifiedJwtSvid,
} from './jwt-svid.ts'
export { isJwtKeyAlgorithm, type JwtAlgorithm } from './jwt-svid-algorithm.ts'
export { JWT_SVID_REFUSALS, type JwtSvidRefusal, type JwtSvidRefusalCode } from './jwt-svid-refusal.ts'
export {
  KEY_ALGORITHMS,
  keyAlgorithmOf,
  parseKeyAlgorithm,
  type KeyAlgorithm,
  type PublicKeyAlgorithm,
  type SignatureAlgorithm,
} from './key-algorithm.ts'
export {
  encodePrivateKeyPem,
  generateKeyPair,
  generateKeyPairAsync,
  parsePrivateKeyPem,
  toKeyPair,
  type KeyPair,
  type PrivateKey,
} from './key-pair.ts'
export { isMessageSignedBy, signMessage } from './message-signature.ts'
export { OID } from './oid.ts'
export { toPublicKeyInfo, type PublicKeyInfo } from './public-key.ts'
export {
  createRevocationList,
  NO_REVOCATIONS,
  parseRevocationSubject,
  type RevocationList,
  type RevocationSubject,
} from './revocation.ts'
export { createBundleSource, type BundleSet, type BundleSource, type SvidSource } from './source.ts'
export { parseSpiffeId, toSpiffeId, type SpiffeId } from './spiffe-id.ts'
export { parseStrictJson, type StrictJsonOptions } from './strict-json.ts'
export { MAX_CHAIN_CERTIFICATES, parseX509Svid, type X509Svid } from './svid.ts'
export { lintAuthority, lintX509Svid, type LintFinding } from './svid-lint.ts'
export { SVID_REFUSALS, type SvidRefusal, type SvidRefusalCode } from './svid-refusal.ts'
export {
  encodeJwtBundle,
  encodeOidcKeys,
  encodeTrustBundle,
  encodeTrustBundlePem,
  parseTrustBundle,
  parseTrustBundlePem,
  type BundleReadOptions,
  type SkippedKey,
  type TrustBundle,
} from './trust-bundle.ts'
export { parseTrustDomain, type TrustDomain } from './trust-domain.ts'
export {
  NOT_BEFORE_ALLOWANCE_MS,
  verifyCertificatePath,
  verifyX509Svid,
  type VerifiedPath,
  type VerifiedSvid,
  type VerifyOptions,
} from './verify.ts'
