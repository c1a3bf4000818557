import { signMessage, type PrivateKey } from '@picket/identity'
import { CaError } from './error.ts'
import type { SampleSvid } from './sample-svid.ts'
import type { ExpectedSvid } from './signer.ts'

/**
 * What `createSvidTemplate` and `createCertificate` make, four times as fast: everything that is the same in all SVIDs of
 * an authority is cut once out of a certificate that those two made, and the rest is put between. That both give the same
 * bytes is checked when an encoder is made, and over many requests in its test.
 */
export interface SvidEncoder {
  /** The signed certificate, DER. */
  encode(serialNumber: Buffer, svid: ExpectedSvid): Buffer
}

/** `sample` is an SVID by the authority of that key. Throws `ERR_LINT`. */
export function createSvidEncoder(privateKey: PrivateKey, sample: SampleSvid): SvidEncoder {
  const [signed, algorithm] = childrenOf(sample.der)
  const fields = childrenOf(signed!)
  const extensions = childrenOf(childrenOf(fields[7]!)[0]!)
  const beforeNames = Buffer.concat(extensions.slice(0, NAMES_AT))
  const afterKeyId = extensions[NAMES_AT + 2]!
  const version = fields[0]!
  const issuer = Buffer.concat([fields[2]!, fields[3]!])
  const subject = fields[5]!

  function encodeSigned(serialNumber: Uint8Array, { request, notBefore, notAfter }: ExpectedSvid): Buffer {
    const { id, dnsNames, publicKeyInfo } = request
    const names = element(0x30, Buffer.concat([text(URI, id.uri), ...dnsNames.map((name) => text(DNS_NAME, name))]))
    const subjectAltName = element(0x30, Buffer.concat([SUBJECT_ALT_NAME, element(0x04, names)]))
    const keyId = Buffer.from(publicKeyInfo.keyId, 'hex')
    const list = element(0x30, Buffer.concat([beforeNames, subjectAltName, SUBJECT_KEY_ID, keyId, afterKeyId]))
    const parts = [
      version,
      integer(serialNumber),
      issuer,
      element(0x30, Buffer.concat([time(notBefore), time(notAfter)])),
      subject,
      publicKeyInfo.der,
      element(0xa3, list),
    ]
    return element(0x30, Buffer.concat(parts))
  }

  const again = encodeSigned(sample.template.serialNumber, sample.expected)
  if (!again.equals(signed!)) throw new CaError('ERR_LINT', 'the two encoders of SVIDs do not agree')
  return {
    encode(serialNumber, svid) {
      const bytes = encodeSigned(serialNumber, svid)
      const signature = element(0x03, Buffer.concat([NO_UNUSED_BITS, signMessage(bytes, privateKey)]))
      return element(0x30, Buffer.concat([bytes, algorithm!, signature]))
    },
  }
}

/** Where among the extensions of the template the names are; the subject's key identifier follows, then the issuer's. */
const NAMES_AT = 3
const URI = 0x86
const DNS_NAME = 0x82
/** Object identifier 2.5.29.17, critical. */
const SUBJECT_ALT_NAME = Buffer.from('0603551d110101ff', 'hex')
/** The whole extension 2.5.29.14 up to the 20 octets of the identifier. */
const SUBJECT_KEY_ID = Buffer.from('301d0603551d0e04160414', 'hex')
const NO_UNUSED_BITS = Buffer.of(0)

function element(tag: number, content: Buffer): Buffer {
  const { length } = content
  const lengthOctets = length < 0x80 ? 1 : length < 0x100 ? 2 : 3
  const bytes = Buffer.allocUnsafe(1 + lengthOctets + length)
  bytes[0] = tag
  if (lengthOctets === 1) bytes[1] = length
  else bytes[1] = 0x7f + lengthOctets
  if (lengthOctets > 1) bytes.writeUIntBE(length, 2, lengthOctets - 1)
  bytes.set(content, 1 + lengthOctets)
  return bytes
}

function text(tag: number, value: string): Buffer {
  return element(tag, Buffer.from(value, 'latin1'))
}

/** A number without zeros in front; a zero octet keeps it positive. */
function integer(octets: Uint8Array): Buffer {
  return element(0x02, octets[0]! & 0x80 ? Buffer.concat([NO_UNUSED_BITS, octets]) : Buffer.from(octets))
}

/** UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 section 4.1.2.5). */
function time(instant: Date): Buffer {
  const iso = instant.toISOString()
  const digits = `${iso.slice(2, 4)}${iso.slice(5, 7)}${iso.slice(8, 10)}${iso.slice(11, 13)}${iso.slice(14, 16)}${iso.slice(17, 19)}Z`
  return iso < '2050' ? text(0x17, digits) : text(0x18, iso.slice(0, 2) + digits)
}

/** The elements inside one of our own making, each with its header. */
function childrenOf(bytes: Buffer): Buffer[] {
  const children: Buffer[] = []
  for (let at = contentOf(bytes, 0).start; at < bytes.length;) {
    const { end } = contentOf(bytes, at)
    children.push(bytes.subarray(at, end))
    at = end
  }
  return children
}

function contentOf(bytes: Buffer, at: number): { start: number; end: number } {
  const first = bytes[at + 1]!
  if (first < 0x80) return { start: at + 2, end: at + 2 + first }
  const octets = first & 0x7f
  const start = at + 2 + octets
  return { start, end: start + bytes.readUIntBE(at + 2, octets) }
}
