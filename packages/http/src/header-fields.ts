/**
 * The field lines of a head or trailer section, scanned once over the received bytes (RFC 9112 §5). No string is made:
 * a field is four offsets, a hash of its lower-case name and, for the names that this package understands, an id.
 *
 * Only complete lines are judged. So the same bytes give the same result however they were split into reads, and a
 * sender that drips single bytes cannot make us scan a line more than twice.
 */
import { COLON, CR, FIELD_BYTE, HTAB, LF, SP, TOKEN_LOWER } from './octets.ts'
import { KNOWN_HEADERS } from './known-headers.ts'
import type { HttpRefusalCode } from './refusal.ts'

/** What a scan returns besides the offset where its section ended. */
export const INCOMPLETE = -1
export const REFUSED = -2

export class HeaderFields {
  /** Four numbers per field: name start, name end, value start, value end. */
  readonly offsets: Uint32Array
  readonly hashes: Int32Array
  readonly ids: Uint8Array
  count = 0
  /** Where the first line that is not yet scanned starts; after the end, where the empty line started. */
  next = 0
  refusal: HttpRefusalCode = 'invalid_header_name'

  constructor(maxFields: number) {
    this.offsets = new Uint32Array(4 * maxFields)
    this.hashes = new Int32Array(maxFields)
    this.ids = new Uint8Array(maxFields)
  }

  begin(from: number): void {
    this.count = 0
    this.next = from
  }

  /** Scans on from `next`. Returns the offset after the empty line, `INCOMPLETE`, or `REFUSED` with `refusal` set. */
  scan(bytes: Buffer, to: number): number {
    const { offsets, ids, hashes } = this
    let pos = this.next
    while (pos < to) {
      const nameStart = pos
      let byte = bytes[pos]!
      let lower = TOKEN_LOWER[byte]!
      let hash = 0
      while (lower !== 0) {
        hash = (Math.imul(hash, 31) + lower) | 0
        if (++pos === to) return INCOMPLETE
        byte = bytes[pos]!
        lower = TOKEN_LOWER[byte]!
      }
      const nameEnd = pos
      if (byte !== COLON || nameEnd === nameStart) return this.#endOrRefuse(bytes, nameStart, pos, to)
      if (this.count === ids.length) return this.#refuse('too_many_headers', bytes, pos, to)

      do byte = bytes[++pos]!
      while ((byte === SP || byte === HTAB) && pos < to)
      const valueStart = pos
      while (pos < to && FIELD_BYTE[bytes[pos]!] === 1) pos++
      if (pos + 1 >= to) return pos < to && bytes[pos] === LF ? this.#refuseValue(bytes, pos, to) : INCOMPLETE
      if (bytes[pos] !== CR || bytes[pos + 1] !== LF) return this.#refuseValue(bytes, pos, to)

      const at = 4 * this.count
      offsets[at] = nameStart
      offsets[at + 1] = nameEnd
      offsets[at + 2] = valueStart
      offsets[at + 3] = endOfValue(bytes, valueStart, pos)
      hashes[this.count] = hash
      ids[this.count] = KNOWN_HEADERS.idOf(bytes, nameStart, nameEnd, hash)
      this.count += 1
      pos += 2
      this.next = pos
    }
    return INCOMPLETE
  }

  /** At a byte that is neither a name's nor the colon after one: the empty line, or something that is not a field. */
  #endOrRefuse(bytes: Buffer, lineStart: number, pos: number, to: number): number {
    const byte = bytes[pos]!
    if (pos === lineStart && byte === CR) {
      if (pos + 1 === to) return INCOMPLETE
      return bytes[pos + 1] === LF ? pos + 2 : this.#refuse('invalid_line_ending', bytes, pos, to)
    }
    if (byte === LF) return this.#refuse('invalid_line_ending', bytes, pos, to)
    const folded = pos === lineStart && (byte === SP || byte === HTAB)
    return this.#refuse(folded ? 'obsolete_folding' : 'invalid_header_name', bytes, pos, to)
  }

  #refuseValue(bytes: Buffer, pos: number, to: number): number {
    const isLineEnding = bytes[pos] === CR || bytes[pos] === LF
    return this.#refuse(isLineEnding ? 'invalid_line_ending' : 'invalid_header_value', bytes, pos, to)
  }

  #refuse(code: HttpRefusalCode, bytes: Buffer, pos: number, to: number): number {
    if (!hasLineEnd(bytes, pos, to)) return INCOMPLETE
    this.refusal = code
    return REFUSED
  }
}

/** True when the line that `pos` is in ends within the bytes received so far. */
export function hasLineEnd(bytes: Buffer, pos: number, to: number): boolean {
  const found = bytes.indexOf(LF, pos)
  return found !== -1 && found < to
}

function endOfValue(bytes: Buffer, start: number, end: number): number {
  while (end > start && (bytes[end - 1] === SP || bytes[end - 1] === HTAB)) end--
  return end
}
