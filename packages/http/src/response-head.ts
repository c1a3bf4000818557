import { keepAliveSecondsOf } from './field-values.ts'
import { hasLineEnd, HeaderFields, INCOMPLETE, REFUSED } from './header-fields.ts'
import { CONTENT_LENGTH, KEEP_ALIVE, NOMINATED, OTHER, TRANSFER_ENCODING } from './known-headers.ts'
import type { HttpLimits } from './limits.ts'
import { MessageFraming } from './message-framing.ts'
import { CR, EMPTY, FIELD_BYTE, isDigit, LF, SP } from './octets.ts'
import type { HttpRefusalCode } from './refusal.ts'

const PREFIX = Buffer.from('HTTP/1.', 'latin1')

/** A response head from an upstream, read as strictly as a request head. One per connection, reused. */
export class ScannedResponseHead {
  bytes: Buffer = EMPTY
  start = 0
  /** Where the empty line that ends the head starts. */
  fieldsEnd = 0
  status = 0
  minorVersion = 1
  /** The reason phrase; empty when there is none. */
  reasonStart = 0
  reasonEnd = 0
  /** How long the upstream says that it keeps idle connections. */
  keepAliveSeconds: number | undefined
  refusal: HttpRefusalCode = 'invalid_status_line'
  readonly fields: HeaderFields
  readonly framing = new MessageFraming()
  readonly #limits: HttpLimits
  #isLineScanned = false

  constructor(limits: HttpLimits) {
    this.#limits = limits
    this.fields = new HeaderFields(limits.headers)
  }

  begin(from: number): void {
    this.start = from
    this.#isLineScanned = false
  }

  /** As `ScannedRequestHead.scan`. */
  scan(bytes: Buffer, to: number): number {
    this.bytes = bytes
    const limitedTo = Math.min(to, this.start + this.#limits.headBytes)
    if (!this.#isLineScanned) {
      const lineEnd = this.#scanStatusLine(bytes, this.start, limitedTo)
      if (lineEnd === REFUSED)
        return hasLineEnd(bytes, this.start, limitedTo) ? REFUSED : this.#incomplete(limitedTo < to)
      if (lineEnd === INCOMPLETE) return this.#incomplete(limitedTo < to)
      this.#isLineScanned = true
      this.fields.begin(lineEnd)
    }
    const end = this.fields.scan(bytes, limitedTo)
    if (end === REFUSED) return this.#refuse(this.fields.refusal)
    if (end === INCOMPLETE) return this.#incomplete(limitedTo < to)
    this.fieldsEnd = end - 2
    const wrong = this.framing.read(bytes, this.fields, this.minorVersion)
    if (wrong) return this.#refuse(wrong)
    this.#readFields(bytes)
    return end
  }

  get isInterim(): boolean {
    return this.status < 200
  }

  /** True for responses that end with their head, whatever their fields say (RFC 9112 §6.3). */
  isBodiless(toHead: boolean): boolean {
    return toHead || this.status === 204 || this.status === 304 || this.status < 200
  }

  get keepsAlive(): boolean {
    const { close, keepAlive } = this.framing
    return !close && (keepAlive || this.minorVersion === 1)
  }

  #scanStatusLine(bytes: Buffer, from: number, to: number): number {
    for (let i = 0; i < PREFIX.length; i++) {
      if (from + i >= to) return INCOMPLETE
      if (bytes[from + i] !== PREFIX[i]) return this.#refuse('invalid_status_line')
    }
    if (to - from < 14) return hasLineEnd(bytes, from, to) ? this.#refuse('invalid_status_line') : INCOMPLETE
    const minor = bytes[from + 7]! - 0x30
    const status = statusAt(bytes, from + 9)
    if ((minor !== 0 && minor !== 1) || bytes[from + 8] !== SP || status < 100)
      return this.#refuse('invalid_status_line')
    this.minorVersion = minor
    this.status = status
    let pos = from + 12
    if (bytes[pos] === SP) pos++
    else if (bytes[pos] !== CR) return this.#refuse('invalid_status_line')
    this.reasonStart = pos
    while (pos < to && FIELD_BYTE[bytes[pos]!] === 1) pos++
    this.reasonEnd = pos
    if (pos + 1 >= to) return pos < to && bytes[pos] === LF ? this.#refuse('invalid_line_ending') : INCOMPLETE
    return bytes[pos] === CR && bytes[pos + 1] === LF ? pos + 2 : this.#refuse('invalid_line_ending')
  }

  /** 204 and 1xx have no body, so framing fields in them only confuse whoever believes them: hidden, not forwarded. */
  #readFields(bytes: Buffer): void {
    const { ids, offsets, count } = this.fields
    const hidesFraming = this.status === 204 || this.status < 200
    this.keepAliveSeconds = undefined
    for (let i = 0; i < count; i++) {
      const id = ids[i]!
      if (id === OTHER) continue
      if (id === KEEP_ALIVE) this.keepAliveSeconds = keepAliveSecondsOf(bytes, offsets[4 * i + 2]!, offsets[4 * i + 3]!)
      else if (hidesFraming && (id === CONTENT_LENGTH || id === TRANSFER_ENCODING)) ids[i] = NOMINATED
    }
  }

  #incomplete(isOverLimit: boolean): number {
    return isOverLimit ? this.#refuse('head_too_large') : INCOMPLETE
  }

  #refuse(code: HttpRefusalCode): number {
    this.refusal = code
    return REFUSED
  }
}

/** Three digits from 100 to 599, or -1. */
function statusAt(bytes: Buffer, at: number): number {
  if (!isDigit(bytes[at]) || !isDigit(bytes[at + 1]) || !isDigit(bytes[at + 2])) return -1
  const status = (bytes[at]! - 0x30) * 100 + (bytes[at + 1]! - 0x30) * 10 + bytes[at + 2]! - 0x30
  return status >= 100 && status <= 599 ? status : -1
}
