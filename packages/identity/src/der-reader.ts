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
  const text = content.toString('latin1')
  const full = tag === TAG.utcTime ? (text < '50' ? '20' : '19') + text : text
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full)
  if (!match) throw malformed('a time is not in the form of RFC 5280')
  const iso = `${match[1]}-${match[2]}-${match[3]}T${match[4]}:${match[5]}:${match[6]}.000Z`
  const date = new Date(iso)
  if (Number.isNaN(date.getTime()) || date.toISOString() !== iso) throw malformed('a time does not exist')
  return date
}
