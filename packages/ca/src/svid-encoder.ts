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
  const [encodeBegin, encodeEnd] = [createTimeEncoder(), createTimeEncoder()]

  /** From the last octet to the first, so that each length is known when its turn comes. */
  function encodeSigned(serialNumber: Uint8Array, { request, notBefore, notAfter }: ExpectedSvid): Buffer {
    const { id, dnsNames, publicKeyInfo } = request
    const writer = createBackwardWriter(scratch)
    const end = writer.mark()
    writer.put(afterKeyId)
    writer.put(Buffer.from(publicKeyInfo.keyId, 'hex'))
    writer.put(SUBJECT_KEY_ID)
    const namesEnd = writer.mark()
    for (let index = dnsNames.length - 1; index >= 0; index--) writer.text(DNS_NAME, dnsNames[index]!)
    writer.text(URI, id.uri)
    writer.header(0x30, namesEnd)
    writer.header(0x04, namesEnd)
    writer.put(SUBJECT_ALT_NAME)
    writer.header(0x30, namesEnd)
    writer.put(beforeNames)
    writer.header(0x30, end)
    writer.header(0xa3, end)
    writer.put(publicKeyInfo.der)
    writer.put(subject)
    const datesEnd = writer.mark()
    writer.put(encodeEnd(notAfter))
    writer.put(encodeBegin(notBefore))
    writer.header(0x30, datesEnd)
    writer.put(issuer)
    const serialEnd = writer.mark()
    writer.put(serialNumber)
    if (serialNumber[0]! & 0x80) writer.put(ZERO)
    writer.header(0x02, serialEnd)
    writer.put(version)
    writer.header(0x30, end)
    return writer.written()
  }

  const again = encodeSigned(sample.template.serialNumber, sample.expected)
  if (!again.equals(signed!)) throw new CaError('ERR_LINT', 'the two encoders of SVIDs do not agree')
  return {
    encode(serialNumber, svid) {
      const bytes = encodeSigned(serialNumber, svid)
      const signature = signMessage(bytes, privateKey)
      const writer = createBackwardWriter(Buffer.allocUnsafe(bytes.length + algorithm!.length + signature.length + 16))
      const end = writer.mark()
      writer.put(signature)
      writer.put(ZERO)
      writer.header(0x03, end)
      writer.put(algorithm!)
      writer.put(bytes)
      writer.header(0x30, end)
      return writer.written()
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
/** Before a number whose first bit is set, to keep it positive; before a bit string, that all its bits count. */
const ZERO = Buffer.of(0)
/** More than the largest key, sixteen longest DNS names and the longest SPIFFE ID take. */
const scratch = Buffer.allocUnsafe(32 * 1024)

interface BackwardWriter {
  put(bytes: Uint8Array): void
  text(tag: number, value: string): void
  /** Before what was written since `end` was marked. */
  header(tag: number, end: number): void
  mark(): number
  /** A view, good until the buffer is written again. */
  written(): Buffer
}

function createBackwardWriter(buffer: Buffer): BackwardWriter {
  let at = buffer.length
  function header(tag: number, end: number): void {
    const length = end - at
    if (length < 0x80) {
      buffer[--at] = length
    } else {
      buffer[--at] = length
      if (length > 0xff) buffer[--at] = length >> 8
      buffer[--at] = length > 0xff ? 0x82 : 0x81
    }
    buffer[--at] = tag
  }
  return {
    header,
    put(bytes) {
      at -= bytes.length
      buffer.set(bytes, at)
    },
    text(tag, value) {
      const end = at
      at -= value.length
      buffer.write(value, at, 'latin1')
      header(tag, end)
    },
    mark: () => at,
    written: () => buffer.subarray(at),
  }
}

/** UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 section 4.1.2.5). Of one second many SVIDs are made. */
function createTimeEncoder(): (instant: Date) => Buffer {
  let lastSecond = Number.NaN
  let last: Buffer = ZERO
  return (instant) => {
    const second = Math.floor(instant.getTime() / 1000)
    if (second !== lastSecond) {
      const iso = instant.toISOString()
      const digits = `${iso.slice(2, 19).replace(/\D/g, '')}Z`
      last = iso < '2050' ? timeElement(0x17, digits) : timeElement(0x18, iso.slice(0, 2) + digits)
      lastSecond = second
    }
    return last
  }
}

function timeElement(tag: number, digits: string): Buffer {
  return Buffer.concat([Buffer.of(tag, digits.length), Buffer.from(digits)])
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
