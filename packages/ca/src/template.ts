import {
  authorityKeyId,
  basicConstraints,
  EMPTY_NAME,
  encodeName,
  extendedKeyUsage,
  keyUsage,
  OID,
  subjectAltName,
  subjectKeyId,
  type Certificate,
  type CertificateTemplate,
  type PublicKeyInfo,
  type SpiffeId,
  type TrustDomain,
} from '@picket/identity'
import type { Random } from '@picket/runtime'
import { AUTHORITY_KEY_USAGE, BACKDATE_MS, SERIAL_BYTES, SVID_KEY_USAGE } from './profile.ts'

export interface SvidRequest {
  readonly id: SpiffeId
  readonly publicKeyInfo: PublicKeyInfo
  readonly ttlMs: number
  readonly dnsNames: readonly string[]
}

/** An SVID by the profile; its end is capped by the authority's own. */
export function createSvidTemplate(
  request: SvidRequest,
  authority: Certificate,
  nowMs: number,
  random: Random,
): CertificateTemplate {
  const { id, publicKeyInfo, ttlMs, dnsNames } = request
  return {
    serialNumber: createSerialNumber(random),
    issuer: authority.subject,
    subject: EMPTY_NAME,
    notBefore: new Date(nowMs - BACKDATE_MS),
    notAfter: new Date(Math.min(nowMs + ttlMs, authority.notAfter.getTime())),
    publicKeyInfo: publicKeyInfo.der,
    extensions: [
      basicConstraints(false),
      keyUsage(SVID_KEY_USAGE),
      extendedKeyUsage([OID.serverAuth, OID.clientAuth]),
      subjectAltName({ uris: [id.uri], dnsNames }, true),
      subjectKeyId(publicKeyInfo.keyId),
      ...(authority.subjectKeyId === undefined ? [] : [authorityKeyId(authority.subjectKeyId)]),
    ],
  }
}

/** A self-signed authority: the trust domain's own ID as its one URI SAN, no path (X509-SVID.md 3.2, 4.1). */
export function createAuthorityTemplate(
  trustDomain: TrustDomain,
  publicKeyInfo: PublicKeyInfo,
  ttlMs: number,
  nowMs: number,
  random: Random,
): CertificateTemplate {
  const serialNumber = createSerialNumber(random)
  const subject = encodeName([
    { oid: OID.organization, value: trustDomain.name },
    { oid: OID.serialNumber, value: serialNumber.toString('hex') },
  ])
  return {
    serialNumber,
    issuer: subject,
    subject,
    notBefore: new Date(nowMs - BACKDATE_MS),
    notAfter: new Date(nowMs + ttlMs),
    publicKeyInfo: publicKeyInfo.der,
    extensions: [
      basicConstraints(true),
      keyUsage(AUTHORITY_KEY_USAGE),
      subjectAltName({ uris: [trustDomain.id] }, false),
      subjectKeyId(publicKeyInfo.keyId),
      authorityKeyId(publicKeyInfo.keyId),
    ],
  }
}

/** 128 random bits (RFC 5280 asks for at most 20 octets, positive), never zero at the front so that the length is fixed. */
function createSerialNumber(random: Random): Buffer {
  const serial = random.bytes(SERIAL_BYTES)
  if (serial[0] === 0) serial[0] = 1
  return serial
}
