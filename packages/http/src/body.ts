/**
 * Message bodies as they pass (RFC 9112 §6-7): how many of the received bytes belong to this message, and which of them may
 * be passed on. Chunk framing is validated and then forwarded byte for byte, so that the next reader sees exactly what
 * was judged here. A trailer section is held back until it is complete and every field in it is allowed.
 */
import { HeaderFields, REFUSED } from './header-fields.ts'
import type { HeaderNameSet } from './header-name-set.ts'
import { FORBIDDEN_TRAILERS } from './known-headers.ts'
import type { HttpLimits } from './limits.ts'
import { CR, EMPTY, HEX_VALUE, HTAB, LF, SP } from './octets.ts'
import type { HttpRefusalCode } from './refusal.ts'

/** `close`: the body is whatever comes until the connection ends. Responses only. */
export type BodyKind = 'none' | 'length' | 'chunked' | 'close'

type ChunkState = 'size' | 'extension' | 'size-lf' | 'data' | 'data-cr' | 'data-lf' | 'trailers'

const SEMICOLON = 0x3b
/** Thirteen hex digits are below 2 ** 53. */
const MAX_SIZE_DIGITS = 13
const MAX_TRAILER_FIELDS = 32

export class Body {
  kind: BodyKind = 'none'
  /** True when the last byte of the body has been consumed. */
  isDone = true
  /** Bytes consumed so far, framing included. */
  byteCount = 0
  /** After `consume`: the bytes from its `from` up to here may be passed on now. */
  passEnd = 0
  /** After `consume`: bytes from an earlier piece, to be passed on after those. */
  tail: Buffer = EMPTY
  refusal: HttpRefusalCode | undefined
  /** Names that no trailer may have, beyond those that none ever may. */
  forbiddenTrailers: HeaderNameSet | undefined
  readonly #limits: HttpLimits
  /** Of a length body or a chunk: bytes still to come. */
  #remaining = 0
  #state: ChunkState = 'size'
  #digits = 0
  #extensionBytes = 0
  #trailers: HeaderFields | undefined
  #held: Buffer = EMPTY

  constructor(limits: HttpLimits) {
    this.#limits = limits
  }

  begin(kind: BodyKind, length = 0): void {
    this.kind = kind
    this.isDone = kind === 'none' || (kind === 'length' && length === 0)
    this.byteCount = 0
    this.refusal = undefined
    this.forbiddenTrailers = undefined
    this.tail = this.#held = EMPTY
    this.#remaining = kind === 'length' ? length : 0
    this.#state = 'size'
    this.#digits = this.#extensionBytes = 0
  }

  /** Bytes that are certainly still to come: exact for a length, 0 when unknown. */
  get knownRemaining(): number {
    return this.kind === 'length' ? this.#remaining : 0
  }

  /** Takes what belongs to the body from `bytes[from, to)` and returns where that ends. Sets `refusal` on bad framing. */
  consume(bytes: Buffer, from: number, to: number): number {
    this.tail = EMPTY
    let end = from
    if (!this.isDone) {
      if (this.kind === 'chunked') end = this.#consumeChunks(bytes, from, to)
      else if (this.kind === 'close') end = to
      else {
        end = Math.min(to, from + this.#remaining)
        this.#remaining -= end - from
        this.isDone = this.#remaining === 0
      }
    }
    if (this.kind !== 'chunked' || end === from) this.passEnd = end
    this.byteCount += end - from
    return end
  }

  #consumeChunks(bytes: Buffer, from: number, to: number): number {
    let pos = from
    this.passEnd = to
    while (pos < to && !this.isDone && this.refusal === undefined) {
      if (this.#state === 'data') {
        const taken = Math.min(to - pos, this.#remaining)
        this.#remaining -= taken
        pos += taken
        if (this.#remaining === 0) this.#state = 'data-cr'
      } else if (this.#state === 'trailers') pos = this.#consumeTrailers(bytes, pos, to)
      else this.#step(bytes[pos++]!)
    }
    if (this.isDone && this.tail === EMPTY) this.passEnd = pos
    return pos
  }

  /** One byte of chunk framing. */
  #step(byte: number): void {
    switch (this.#state) {
      case 'size':
        return this.#stepSize(byte)
      case 'extension':
        if (byte === CR) this.#state = 'size-lf'
        else if ((byte < SP && byte !== HTAB) || byte >= 0x7f) this.refusal = 'invalid_chunk'
        else if (++this.#extensionBytes > this.#limits.chunkExtensionBytes) this.refusal = 'invalid_chunk'
        return
      case 'size-lf':
        if (byte !== LF) this.refusal = 'invalid_chunk'
        else this.#state = this.#remaining === 0 ? 'trailers' : 'data'
        return
      case 'data-cr':
        if (byte === CR) this.#state = 'data-lf'
        else this.refusal = 'invalid_chunk'
        return
      case 'data-lf':
        if (byte !== LF) this.refusal = 'invalid_chunk'
        this.#state = 'size'
        this.#digits = this.#extensionBytes = 0
        return
      case 'data':
      case 'trailers': // taken in runs by #consumeChunks
    }
  }

  #stepSize(byte: number): void {
    const value = HEX_VALUE[byte]!
    if (value < 16) {
      this.#remaining = this.#remaining * 16 + value
      if (++this.#digits > MAX_SIZE_DIGITS) this.refusal = 'invalid_chunk'
    } else if (this.#digits === 0) this.refusal = 'invalid_chunk'
    else if (byte === CR) this.#state = 'size-lf'
    else if (byte === SEMICOLON) this.#state = 'extension'
    else this.refusal = 'invalid_chunk'
  }

  /** The usual case, an empty section in the same piece, is passed on in place; a split one is collected first. */
  #consumeTrailers(bytes: Buffer, from: number, to: number): number {
    if (this.#held.length === 0 && to - from >= 2 && bytes[from] === CR && bytes[from + 1] === LF) {
      this.isDone = true
      return from + 2
    }
    const heldBefore = this.#held.length
    const room = this.#limits.trailerBytes - heldBefore
    const section = Buffer.concat([this.#held, bytes.subarray(from, Math.min(to, from + room))])
    this.passEnd = Math.min(this.passEnd, from)
    const fields = (this.#trailers ??= new HeaderFields(MAX_TRAILER_FIELDS))
    fields.begin(0)
    const end = fields.scan(section, section.length)
    if (end === REFUSED || (end >= 0 && this.#hasForbiddenField(section, fields))) this.refusal = 'invalid_trailer'
    else if (end >= 0) {
      this.isDone = true
      this.tail = section.subarray(0, end)
      return from + end - heldBefore
    } else if (to - from > room) this.refusal = 'trailers_too_large'
    else this.#held = section
    return to
  }

  #hasForbiddenField(section: Buffer, fields: HeaderFields): boolean {
    for (let i = 0; i < fields.count; i++) {
      const start = fields.offsets[4 * i]!
      const end = fields.offsets[4 * i + 1]!
      const hash = fields.hashes[i]!
      if (FORBIDDEN_TRAILERS.idOf(section, start, end, hash) !== 0) return true
      if (this.forbiddenTrailers !== undefined && this.forbiddenTrailers.idOf(section, start, end, hash) !== 0)
        return true
    }
    return false
  }
}
