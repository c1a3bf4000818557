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
  universalString: 0x1c,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const

/** Certificates nest about nine levels. */
const MAX_DEPTH = 24
/** A certificate has about a hundred elements. */
const MAX_ELEMENTS = 2048
const CONSTRUCTED = 0x20
const CLASS_MASK = 0xc0

/** Bounds of one reading; the depth is the same for all. */
export interface ScanLimits {
  readonly elements?: number
}

/** The one element that fills `input` exactly. Throws `ERR_DER`. */
export function scanDer(input: Buffer, { elements = MAX_ELEMENTS }: ScanLimits = {}): DerElement {
  const scan = { input, elementsLeft: elements }
  const root = scanElement(scan, 0, input.length, 0)
  if (root.end !== input.length) throw malformed('bytes follow the outermost element')
  return root
}

/** Identifier octet and content of the one element that fills `input`, whose inside is not looked at. Throws `ERR_DER`. */
export function readHeader(input: Buffer): { tag: number; content: Buffer } {
  if (input.length < 2) throw malformed('an element is cut off')
  const contentAt = contentOffset(input, 1, input.length)
  if (contentAt + readLength(input, 1) !== input.length) throw malformed('the length is not that of the element')
  return { tag: input[0]!, content: input.subarray(contentAt) }
}

interface Scan {
  readonly input: Buffer
  elementsLeft: number
}

/** Offsets only; slices are made when they are asked for, which for most elements is never (4 of 5 in a certificate). */
class ScannedElement implements DerElement {
  readonly #input: Buffer
  readonly tag: number
  readonly at: number
  readonly contentAt: number
  readonly end: number
  readonly children: readonly ScannedElement[]

  constructor(
    input: Buffer,
    tag: number,
    [at, contentAt, end]: readonly [number, number, number],
    children: readonly ScannedElement[],
  ) {
    this.#input = input
    this.tag = tag
    this.at = at
    this.contentAt = contentAt
    this.end = end
    this.children = children
  }

  get der(): Buffer {
    return this.#input.subarray(this.at, this.end)
  }

  get content(): Buffer {
    return this.#input.subarray(this.contentAt, this.end)
  }
}

const NO_CHILDREN: readonly ScannedElement[] = []

function scanElement(scan: Scan, at: number, limit: number, depth: number): ScannedElement {
  if (depth > MAX_DEPTH) throw malformed('elements are nested too deeply')
  if (--scan.elementsLeft < 0) throw malformed('there are too many elements')
  if (limit - at < 2) throw malformed('an element is cut off')
  const { input } = scan
  const tag = input[at]!
  const contentAt = contentOffset(input, at + 1, limit)
  const end = contentAt + readLength(input, at + 1)
  if (end > limit) throw malformed('an element is longer than what holds it')
  const children = tag & CONSTRUCTED ? scanChildren(scan, contentAt, end, depth) : NO_CHILDREN
  checkTag(tag)
  const fault = tag & CLASS_MASK ? false : faultOf(tag, input, contentAt, end)
  if (fault) throw malformed(fault)
  if (tag === TAG.set && !isSorted(input, children)) throw malformed('a set is not in ascending order')
  return new ScannedElement(input, tag, [at, contentAt, end], children)
}

function scanChildren(scan: Scan, from: number, to: number, depth: number): ScannedElement[] {
  const children: ScannedElement[] = []
  for (let at = from; at < to;) {
    const child = scanElement(scan, at, to, depth + 1)
    children.push(child)
    at = child.end
  }
  return children
}

/** Checks the form of the length at `at` and says where the content begins. */
function contentOffset(input: Buffer, at: number, limit: number): number {
  const first = input[at]!
  if (first < 0x80) return at + 1
  const count = first & 0x7f
  if (count === 0) throw malformed('an element has indefinite length')
  if (count > 3 || at + 1 + count > limit) throw malformed('a length is too long')
  return at + 1 + count
}

function readLength(input: Buffer, at: number): number {
  const first = input[at]!
  if (first < 0x80) return first
  const count = first & 0x7f
  let length = 0
  for (let index = 1; index <= count; index++) length = (length << 8) | input[at + index]!
  if (length < 0x80 || length < 2 ** (8 * (count - 1))) throw malformed('a length is not in its shortest form')
  return length
}

function checkTag(tag: number): void {
  if ((tag & 0x1f) === 0x1f) throw malformed('a tag number is above 30')
  if (tag & CLASS_MASK) return
  const number = tag & 0x1f
  if (Boolean(tag & CONSTRUCTED) !== (number === 0x10 || number === 0x11)) {
    throw malformed('a primitive type is constructed, or a sequence is not')
  }
}

/** What DER demands of each universal type's content; the result says what is wrong. */
function faultOf(tag: number, input: Buffer, from: number, to: number): string | false {
  switch (tag) {
    case 0x00:
      return 'there is an end-of-contents marker'
    case TAG.boolean:
      return (to - from !== 1 || (input[from] !== 0x00 && input[from] !== 0xff)) && 'a boolean is neither 00 nor FF'
    case TAG.integer:
      return isPaddedInteger(input, from, to) && 'an integer is empty or not in its shortest form'
    case TAG.bitString:
      return hasStrayBits(input, from, to) && 'a bit string has stray or miscounted unused bits'
    case TAG.null:
      return from !== to && 'a null has content'
    case TAG.oid:
      return isBadOid(input, from, to) && 'an object identifier is cut off or padded'
    case TAG.bmpString:
      return (to - from) % 2 !== 0 && 'a BMP string ends within a character'
    case TAG.universalString:
      return (to - from) % 4 !== 0 && 'a universal string ends within a character'
    default:
      return false
  }
}

function isPaddedInteger(input: Buffer, from: number, to: number): boolean {
  if (to === from) return true
  if (to - from === 1) return false
  const signBit = input[from + 1]! & 0x80
  return (input[from] === 0x00 && signBit === 0) || (input[from] === 0xff && signBit !== 0)
}

function hasStrayBits(input: Buffer, from: number, to: number): boolean {
  if (to === from) return true
  const unused = input[from]!
  if (unused > 7) return true
  if (to - from === 1) return unused !== 0
  return (input[to - 1]! & ((1 << unused) - 1)) !== 0
}

function isBadOid(input: Buffer, from: number, to: number): boolean {
  if (to === from || input[to - 1]! & 0x80) return true
  for (let at = from; at < to; at++) {
    if (input[at] === 0x80 && (at === from || !(input[at - 1]! & 0x80))) return true
  }
  return false
}

function isSorted(input: Buffer, children: readonly ScannedElement[]): boolean {
  return children.every((child, index) => {
    const before = children[index - 1]
    return !before || input.compare(input, child.at, child.end, before.at, before.end) <= 0
  })
}

export function malformed(fault: string): IdentityError {
  return new IdentityError('ERR_DER', `malformed DER: ${fault}`)
}
