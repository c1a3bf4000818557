import { der, encodeDer, type DerValue } from './der.ts'
import { OID } from './oid.ts'

/** A certificate extension (RFC 5280 section 4.2); `value` is the DER inside its OCTET STRING. */
export interface Extension {
  readonly oid: string
  readonly critical: boolean
  readonly value: Buffer
}

/** Named bits of KeyUsage in the order of RFC 5280 section 4.2.1.3. */
export const KEY_USAGES = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const
export type KeyUsage = (typeof KEY_USAGES)[number]

/** Context-specific numbers of GeneralName that Picket writes. */
const DNS_NAME = 2
const URI = 6

/** Critical; `cA` FALSE is the default and therefore an empty sequence. */
export function basicConstraints(isCa: boolean, pathLen?: number): Extension {
  const fields = isCa ? [der.boolean(true), ...(pathLen === undefined ? [] : [der.unsigned(Buffer.of(pathLen))])] : []
  return extension(OID.basicConstraints, true, der.sequence(...fields))
}

export function keyUsage(usages: readonly KeyUsage[], critical = true): Extension {
  const bits = usages.map((usage) => KEY_USAGES.indexOf(usage))
  const octets = Buffer.alloc(bits.length === 0 ? 0 : 1 + (Math.max(...bits) >> 3))
  for (const bit of bits) octets[bit >> 3]! |= 0x80 >> (bit & 7)
  const unused = bits.length === 0 ? 0 : 7 - (Math.max(...bits) & 7)
  return extension(OID.keyUsage, critical, der.bits(octets, unused))
}

export function extendedKeyUsage(purposes: readonly string[]): Extension {
  return extension(OID.extendedKeyUsage, false, der.sequence(...purposes.map(der.oid)))
}

/** Critical exactly when the subject is empty (RFC 5280 section 4.2.1.6, X509-SVID.md section 2). */
export function subjectAltName(
  names: { uris?: readonly string[]; dnsNames?: readonly string[] },
  critical: boolean,
): Extension {
  const uris = (names.uris ?? []).map((uri) => der.tagged(URI, Buffer.from(uri)))
  const dnsNames = (names.dnsNames ?? []).map((name) => der.tagged(DNS_NAME, Buffer.from(name)))
  return extension(OID.subjectAltName, critical, der.sequence(...uris, ...dnsNames))
}

/** `keyId` in hexadecimal. */
export function subjectKeyId(keyId: string): Extension {
  return extension(OID.subjectKeyId, false, der.octets(Buffer.from(keyId, 'hex')))
}

export function authorityKeyId(keyId: string): Extension {
  return extension(OID.authorityKeyId, false, der.sequence(der.tagged(0, Buffer.from(keyId, 'hex'))))
}

/** Critical, with URI host constraints only: a name permits that host, a leading dot its subdomains. */
export function nameConstraints(
  permittedUriHosts: readonly string[],
  excludedUriHosts: readonly string[] = [],
): Extension {
  const subtrees = (number: number, hosts: readonly string[]): DerValue[] =>
    hosts.length === 0
      ? []
      : [der.wrapped(number, ...hosts.map((host) => der.sequence(der.tagged(URI, Buffer.from(host)))))]
  const fields = [...subtrees(0, permittedUriHosts), ...subtrees(1, excludedUriHosts)]
  return extension(OID.nameConstraints, true, der.sequence(...fields))
}

/** The Extensions sequence of a certificate or of a CSR's extension request. */
export function toExtensions(extensions: readonly Extension[]): DerValue {
  return der.sequence(
    ...extensions.map(({ oid, critical, value }) =>
      der.sequence(der.oid(oid), ...(critical ? [der.boolean(true)] : []), der.octets(value)),
    ),
  )
}

function extension(oid: string, critical: boolean, value: DerValue): Extension {
  return { oid, critical, value: encodeDer(value) }
}
