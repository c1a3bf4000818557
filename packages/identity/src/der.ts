import forge from 'node-forge'
import { malformed, readHeader, scanDer, TAG, type DerElement, type ScanLimits } from './der-element.ts'

/**
 * The only importer of node-forge, of which only the ASN.1 encoder serves: it builds what we sign. What we read goes
 * through our own strict scanner alone, which accepts one encoding of each value; forge's decoder has been wrong before
 * (CVE-2025-12816, CVE-2025-66031) and costs more than everything else in reading a certificate. It is the second
 * opinion in the tests: whatever the scanner accepts must survive forge's decode and re-encode, byte for byte.
 */
const { asn1 } = forge

/** The published types lack the form with options. `decodeBitStrings` would read keys and signatures as structures. */
const decode = asn1.fromDer as unknown as (bytes: string, options: Record<string, boolean>) => forge.asn1.Asn1
const DECODE_OPTIONS = { strict: true, parseAllBytes: true, decodeBitStrings: false }

/** The largest structure read; certificates with the largest keys are under 16 KiB. */
export const MAX_DER_BYTES = 64 * 1024

/** A structure to be encoded. */
export type DerValue = forge.asn1.Asn1

/** Reads a copy of `bytes`, so that nobody can change them under the parsed value. Throws `ERR_DER`. */
export function parseDer(bytes: Uint8Array, maxBytes = MAX_DER_BYTES, limits?: ScanLimits): DerElement {
  if (bytes.length > maxBytes) throw malformed(`it is longer than ${maxBytes} bytes`)
  return scanDer(Buffer.from(bytes), limits)
}

/** The plain way to find out whether bytes are DER: forge reads them and writes them back. The oracle of the tests. */
export function survivesRoundTrip(bytes: Buffer): boolean {
  const text = bytes.toString('latin1')
  try {
    return asn1.toDer(decode(text, DECODE_OPTIONS)).getBytes() === text
  } catch {
    return false
  }
}

/** An OBJECT IDENTIFIER in dotted form. Throws `ERR_DER`. */
export function toOid({ content }: DerElement): string {
  if (content.length > MAX_OID_OCTETS) throw malformed('an object identifier is too long')
  let dotted = ''
  let arc = 0
  for (const octet of content) {
    if (arc >= MAX_ARC / 128) throw malformed('an object identifier has an arc that is too large')
    arc = arc * 128 + (octet & 0x7f)
    if (octet & 0x80) continue
    dotted += dotted === '' ? firstArcs(arc) : `.${arc}`
    arc = 0
  }
  return dotted
}

/** Those in use have 20 at most. */
const MAX_OID_OCTETS = 64
/** Larger ones are only in identifiers made of UUIDs, which no certificate of ours needs. */
const MAX_ARC = 2 ** 53

function firstArcs(both: number): string {
  return both < 80 ? `${Math.floor(both / 40)}.${both % 40}` : `2.${both - 80}`
}

export function encodeDer(value: DerValue): Buffer {
  return Buffer.from(asn1.toDer(value).getBytes(), 'latin1')
}

/** Encoders of the types that certificates and requests are made of. */
export const der = {
  sequence: (...items: DerValue[]): DerValue => constructed(TAG.sequence, items),
  set: (...items: DerValue[]): DerValue => constructed(TAG.set, items),
  boolean: (value: boolean): DerValue => primitive(TAG.boolean, Buffer.of(value ? 0xff : 0x00)),
  /** A non-negative number from its big-endian octets; redundant zeros are dropped, the sign octet is added. */
  unsigned: (octets: Uint8Array): DerValue => {
    const firstSet = octets.findIndex((octet) => octet !== 0)
    const digits = firstSet < 0 ? Buffer.of(0) : Buffer.from(octets.subarray(firstSet))
    return primitive(TAG.integer, digits[0]! & 0x80 ? Buffer.concat([Buffer.of(0), digits]) : digits)
  },
  oid: (dotted: string): DerValue => create(TAG.oid, asn1.oidToDer(dotted).getBytes()),
  octets: (octets: Uint8Array): DerValue => primitive(TAG.octetString, octets),
  bits: (octets: Uint8Array, unusedBits = 0): DerValue =>
    primitive(TAG.bitString, Buffer.concat([Buffer.of(unusedBits), octets])),
  utf8: (text: string): DerValue => primitive(TAG.utf8String, Buffer.from(text)),
  /** UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 section 4.1.2.5). Throws `ERR_DER` outside 1950 to 9999. */
  time: (instant: Date): DerValue => {
    const year = instant.getUTCFullYear()
    if (!(year >= 1950 && year <= 9999)) throw malformed('a time is out of bounds')
    const parts = [instant.getUTCMonth() + 1, instant.getUTCDate()]
    parts.push(instant.getUTCHours(), instant.getUTCMinutes(), instant.getUTCSeconds())
    const rest = `${parts.map(twoDigits).join('')}Z`
    return year < 2050
      ? create(TAG.utcTime, twoDigits(year % 100) + rest)
      : create(TAG.generalizedTime, String(year) + rest)
  },
  /** `[number] IMPLICIT` of a primitive type. */
  tagged: (number: number, octets: Uint8Array): DerValue => primitive(0x80 | number, octets),
  /** `[number] EXPLICIT`, or `IMPLICIT` of a sequence or set. */
  wrapped: (number: number, ...items: DerValue[]): DerValue => constructed(0xa0 | number, items),
  /** An element that is already encoded, taken as it is. */
  encoded: (bytes: Uint8Array): DerValue => {
    const { tag, content } = readHeader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    return primitive(tag, content)
  },
}

function twoDigits(number: number): string {
  return number < 10 ? `0${number}` : String(number)
}

function constructed(tag: number, items: DerValue[]): DerValue {
  return asn1.create(tag & 0xc0, tag & 0x1f, true, items)
}

/** forge writes `class | type` as the identifier octet, so a type that keeps its constructed bit splices content in. */
function primitive(tag: number, octets: Uint8Array): DerValue {
  return create(tag, Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength).toString('latin1'))
}

function create(tag: number, content: string): DerValue {
  return asn1.create(tag & 0xc0, tag & 0x3f, false, content)
}
