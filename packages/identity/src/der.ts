import forge from 'node-forge'
import { malformed, scanDer, TAG, type DerElement } from './der-element.ts'

/**
 * The only importer of node-forge, of which only `asn1` is used: its encoder builds what we sign, its decoder is the
 * second opinion on what we read. `parseDer` accepts bytes only if our own strict reader accepts them *and* forge's
 * decode and re-encode gives back the very same bytes (the round-trip gate); either alone has been wrong before
 * (CVE-2025-12816, CVE-2025-66031). Bounds come first: size, then depth and element count in the scan.
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
export function parseDer(bytes: Uint8Array, maxBytes = MAX_DER_BYTES): DerElement {
  if (bytes.length > maxBytes) throw malformed(`it is longer than ${maxBytes} bytes`)
  const element = scanDer(Buffer.from(bytes))
  if (!survivesRoundTrip(element.der)) throw malformed('it does not survive a round trip through the encoder')
  return element
}

/** A DER value that sits inside a slice already owned (an extension's value), read without another copy. */
export function parseNestedDer(slice: Buffer): DerElement {
  const element = scanDer(slice)
  if (!survivesRoundTrip(slice)) throw malformed('it does not survive a round trip through the encoder')
  return element
}

function survivesRoundTrip(bytes: Buffer): boolean {
  const text = bytes.toString('latin1')
  try {
    return asn1.toDer(decode(text, DECODE_OPTIONS)).getBytes() === text
  } catch {
    return false
  }
}

/** An OBJECT IDENTIFIER in dotted form. */
export function toOid({ content }: DerElement): string {
  try {
    return asn1.derToOid(forge.util.createBuffer(content.toString('latin1')))
  } catch {
    throw malformed('an object identifier has an arc that is too large')
  }
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
  /** UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 section 4.1.2.5). */
  time: (instant: Date): DerValue => {
    const digits = instant.toISOString().replace(/\.\d+|[-:T]/g, '')
    return instant.getUTCFullYear() < 2050
      ? primitive(TAG.utcTime, Buffer.from(digits.slice(2)))
      : primitive(TAG.generalizedTime, Buffer.from(digits))
  },
  /** `[number] IMPLICIT` of a primitive type. */
  tagged: (number: number, octets: Uint8Array): DerValue => primitive(0x80 | number, octets),
  /** `[number] EXPLICIT`, or `IMPLICIT` of a sequence or set. */
  wrapped: (number: number, ...items: DerValue[]): DerValue => constructed(0xa0 | number, items),
  /** An element that is already encoded. */
  encoded: (bytes: Uint8Array): DerValue => {
    const { tag, content } = scanDer(Buffer.from(bytes))
    return primitive(tag, content)
  },
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
