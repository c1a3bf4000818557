import { malformed, TAG, type DerElement } from './der-element.ts'

/** Takes an element's children one after another, each by the tag that the ASN.1 module demands. Throws `ERR_DER`. */
export class DerReader {
  readonly #what: string
  readonly #children: readonly DerElement[]
  #next = 0

  /** `what` names the structure in messages. */
  constructor(element: DerElement, tag: number, what: string) {
    if (element.tag !== tag) throw malformed(`${what} has the wrong type`)
    this.#what = what
    this.#children = element.children
  }

  take(tag: number): DerElement {
    const child = this.takeIf(tag)
    if (!child) throw malformed(`${this.#what} lacks a field or has one of the wrong type`)
    return child
  }

  takeIf(tag: number): DerElement | undefined {
    const child = this.#children[this.#next]
    if (child?.tag !== tag) return undefined
    this.#next++
    return child
  }

  /** BOOLEAN DEFAULT FALSE: DER leaves the default out, so an encoded FALSE is malformed. */
  takeFlag(): boolean {
    const flag = this.takeIf(TAG.boolean)
    if (flag?.content[0] === 0x00) throw malformed(`${this.#what} encodes a default value`)
    return flag !== undefined
  }

  /** Everything has been taken. */
  end(): void {
    if (this.#next !== this.#children.length) throw malformed(`${this.#what} has more fields than it may`)
  }
}

/** What certificates, requests and lists share: the signed part, the signature's algorithm, the signature. */
export function readSigned(
  root: DerElement,
  what: string,
): { readonly signed: DerElement; readonly algorithm: DerElement; readonly signature: Buffer } {
  const outer = new DerReader(root, TAG.sequence, what)
  const signed = outer.take(TAG.sequence)
  const algorithm = outer.take(TAG.sequence)
  const signature = toOctets(outer.take(TAG.bitString))
  outer.end()
  return { signed, algorithm, signature }
}

/** A small non-negative INTEGER, such as a version or a path length. */
export function toSmallInteger({ content }: DerElement): number {
  if (content.length > 4 || content[0]! & 0x80) throw malformed('a small integer is negative or too large')
  return content.readUIntBE(0, content.length)
}

/** The octets of a BIT STRING whose length is a whole number of octets: keys and signatures. */
export function toOctets({ content }: DerElement): Buffer {
  if (content[0] !== 0) throw malformed('a bit string is not a whole number of octets')
  return content.subarray(1)
}

/** UTCTime or GeneralizedTime in the forms of RFC 5280 section 4.1.2.5: seconds present, no fraction, `Z`. */
export function toDate({ tag, content }: DerElement): Date {
  const yearDigits = tag === TAG.utcTime ? 2 : 4
  if (content.length !== yearDigits + 11 || content[yearDigits + 10] !== Z || !areDigits(content, yearDigits + 10)) {
    throw malformed('a time is not in the form of RFC 5280')
  }
  const pair = (at: number): number => (content[at]! - ZERO) * 10 + (content[at + 1]! - ZERO)
  const first = pair(0)
  const year = yearDigits === 4 ? first * 100 + pair(2) : first < 50 ? 2000 + first : 1900 + first
  const [month, day, hour] = [pair(yearDigits), pair(yearDigits + 2), pair(yearDigits + 4)]
  const [minute, second] = [pair(yearDigits + 6), pair(yearDigits + 8)]
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  date.setUTCHours(hour, minute, second)
  const exists = date.getUTCMonth() === month - 1 && date.getUTCDate() === day && date.getUTCHours() === hour
  if (!exists || minute > 59 || second > 59) throw malformed('a time does not exist')
  return date
}

const ZERO = 0x30
const Z = 0x5a

function areDigits(content: Buffer, count: number): boolean {
  for (let at = 0; at < count; at++) {
    if (content[at]! < ZERO || content[at]! > 0x39) return false
  }
  return true
}
