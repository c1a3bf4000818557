import { IdentityError } from './error.ts'

/**
 * The reading side of DER (X.690): one pass over the received bytes gives a tree of offsets, so that what is signed,
 * compared or hashed is always a slice of what was received, never a re-encoding. Everything that X.690 lets an encoder
 * choose is refused (indefinite or padded lengths, padded integers, unsorted sets, loose booleans), because two readers
 * could take it differently.
 */
export interface DerElement {
  /** The identifier octet: class, constructed bit and number. */
  readonly tag: number
  /** Header and content: a slice of the received bytes. */
  readonly der: Buffer
  readonly content: Buffer
  /** Empty for primitive elements. */
  readonly children: readonly DerElement[]
}

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

/** Certificates nest about nine levels. */
const MAX_DEPTH = 24
/** A certificate has about a hundred elements. */
const MAX_ELEMENTS = 2048
const CONSTRUCTED = 0x20
const CLASS_MASK = 0xc0

/** The one element that fills `input` exactly. Throws `ERR_DER`. */
export function scanDer(input: Buffer): DerElement {
  const scan = { input, elements: 0 }
  const root = scanElement(scan, 0, input.length, 0)
  if (root.der.length !== input.length) throw malformed('bytes follow the outermost element')
  return root
}

interface Scan {
  readonly input: Buffer
  elements: number
}

function scanElement(scan: Scan, at: number, limit: number, depth: number): DerElement {
  if (depth > MAX_DEPTH) throw malformed('elements are nested too deeply')
  if (++scan.elements > MAX_ELEMENTS) throw malformed('there are too many elements')
  if (limit - at < 2) throw malformed('an element is cut off')
  const { input } = scan
  const tag = input[at]!
  const { length, contentAt } = readLength(input, at + 1, limit)
  const end = contentAt + length
  if (end > limit) throw malformed('an element is longer than what holds it')
  const children: DerElement[] = []
  if (tag & CONSTRUCTED) {
    for (let childAt = contentAt; childAt < end; childAt += children.at(-1)!.der.length) {
      children.push(scanElement(scan, childAt, end, depth + 1))
    }
  }
  const element = { tag, der: input.subarray(at, end), content: input.subarray(contentAt, end), children }
  checkElement(element)
  return element
}

function readLength(input: Buffer, at: number, limit: number): { length: number; contentAt: number } {
  const first = input[at]!
  if (first < 0x80) return { length: first, contentAt: at + 1 }
  const count = first & 0x7f
  if (count === 0) throw malformed('an element has indefinite length')
  if (count > 3 || at + 1 + count > limit) throw malformed('a length is too long')
  const length = input.readUIntBE(at + 1, count)
  if (length < 0x80 || length < 2 ** (8 * (count - 1))) throw malformed('a length is not in its shortest form')
  return { length, contentAt: at + 1 + count }
}

function checkElement(element: DerElement): void {
  const { tag } = element
  if ((tag & 0x1f) === 0x1f) throw malformed('a tag number is above 30')
  if (tag & CLASS_MASK) return
  const number = tag & 0x1f
  if (Boolean(tag & CONSTRUCTED) !== (number === 0x10 || number === 0x11)) {
    throw malformed('a primitive type is constructed, or a sequence is not')
  }
  const fault = UNIVERSAL_FAULTS[tag]?.(element)
  if (fault) throw malformed(fault)
}

/** What DER demands of each universal type's content; the result says what is wrong. */
const UNIVERSAL_FAULTS: Readonly<Record<number, (element: DerElement) => string | false>> = {
  0x00: () => 'there is an end-of-contents marker',
  [TAG.boolean]: ({ content }) =>
    (content.length !== 1 || (content[0] !== 0x00 && content[0] !== 0xff)) && 'a boolean is neither 00 nor FF',
  [TAG.integer]: ({ content }) =>
    (content.length === 0 || hasPaddedSign(content)) && 'an integer is empty or not in its shortest form',
  [TAG.bitString]: ({ content }) => hasStrayBits(content) && 'a bit string has stray or miscounted unused bits',
  [TAG.null]: ({ content }) => content.length !== 0 && 'a null has content',
  [TAG.oid]: ({ content }) => isBadOid(content) && 'an object identifier is cut off or padded',
  [TAG.set]: ({ children }) => !isSorted(children) && 'a set is not in ascending order',
}

function hasPaddedSign(content: Buffer): boolean {
  if (content.length < 2) return false
  const signBit = content[1]! & 0x80
  return (content[0] === 0x00 && signBit === 0) || (content[0] === 0xff && signBit !== 0)
}

function hasStrayBits(content: Buffer): boolean {
  const unused = content[0]
  if (unused === undefined || unused > 7) return true
  if (content.length === 1) return unused !== 0
  return (content.at(-1)! & ((1 << unused) - 1)) !== 0
}

function isBadOid(content: Buffer): boolean {
  if (content.length === 0 || content.at(-1)! & 0x80) return true
  return content.some((byte, index) => byte === 0x80 && (index === 0 || !(content[index - 1]! & 0x80)))
}

function isSorted(children: readonly DerElement[]): boolean {
  return children.every((child, index) => index === 0 || Buffer.compare(children[index - 1]!.der, child.der) <= 0)
}

export function malformed(fault: string): IdentityError {
  return new IdentityError('ERR_DER', `malformed DER: ${fault}`)
}
