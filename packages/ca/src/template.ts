import {
  authorityKeyId,
  basicConstraints,
  EMPTY_NAME,
  encodeName,
  extendedKeyUsage,
  keyUsage,
  nameConstraints,
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
import { AUTHORITY_KEY_USAGE, SERIAL_BYTES, SVID_KEY_USAGE } from './profile.ts'

export interface SvidRequest {
  readonly id: SpiffeId
  readonly publicKeyInfo: PublicKeyInfo
  readonly dnsNames: readonly string[]
}

/** An SVID by the profile. */
export function createSvidTemplate(
  { request, notBefore, notAfter }: { request: SvidRequest; notBefore: Date; notAfter: Date },
  authority: Certificate,
  random: Random,
): CertificateTemplate {
  const { id, publicKeyInfo, dnsNames } = request
  return {
    serialNumber: createSerialNumber(random),
    issuer: authority.subject,
    subject: EMPTY_NAME,
    notBefore,
    notAfter,
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

/**
 * An authority: the trust domain's own ID as its one URI SAN, no path (X509-SVID.md 3.2, 4.1). Self-signed, or issued by
 * `issuer`; then it may issue leaves alone, and only for its trust domain, whatever its issuer may do.
 */
export function createAuthorityTemplate(
  trustDomain: TrustDomain,
  publicKeyInfo: PublicKeyInfo,
  dates: { readonly notBefore: Date; readonly notAfter: Date },
  issuer: Certificate | undefined,
  random: Random,
): CertificateTemplate {
  const serialNumber = createSerialNumber(random)
  const subject = encodeName([
    { oid: OID.organization, value: trustDomain.name },
    { oid: OID.serialNumber, value: serialNumber.toString('hex') },
  ])
  const issuerKeyId = issuer ? issuer.subjectKeyId : publicKeyInfo.keyId
  return {
    serialNumber,
    issuer: issuer?.subject ?? subject,
    subject,
    ...dates,
    publicKeyInfo: publicKeyInfo.der,
    extensions: [
      issuer ? basicConstraints(true, 0) : basicConstraints(true),
      keyUsage(AUTHORITY_KEY_USAGE),
      subjectAltName({ uris: [trustDomain.id] }, false),
      ...(issuer ? [nameConstraints([trustDomain.name])] : []),
      subjectKeyId(publicKeyInfo.keyId),
      ...(issuerKeyId === undefined ? [] : [authorityKeyId(issuerKeyId)]),
    ],
  }
}

/** 128 random bits (RFC 5280 asks for at most 20 octets, positive), never zero at the front so that the length is fixed. */
export function createSerialNumber(random: Random): Buffer {
  return toSerialNumber(random.bytes(SERIAL_BYTES))
}

/** The same, drawn for many at once: asking the system's generator costs more than the rest of a serial number. */
export function createSerialNumbers(random: Random): () => Buffer {
  let drawn: Buffer = Buffer.alloc(0)
  let at = 0
  return () => {
    if (at === drawn.length) {
      drawn = random.bytes(SERIALS_AT_ONCE * SERIAL_BYTES)
      at = 0
    }
    at += SERIAL_BYTES
    return toSerialNumber(drawn.subarray(at - SERIAL_BYTES, at))
  }
}

const SERIALS_AT_ONCE = 64

function toSerialNumber(serial: Buffer): Buffer {
  if (serial[0] === 0) serial[0] = 1
  return serial
}
