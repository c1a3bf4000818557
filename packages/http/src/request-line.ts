/** `METHOD SP target SP HTTP/1.x CRLF` (RFC 9112 §3), one pass over the bytes, offsets only. */
import { CR, isDigit, LF, SP, tableOf } from './octets.ts'
import { hasLineEnd, INCOMPLETE, REFUSED } from './header-fields.ts'
import { scanPath, scanQuery, TARGET_AMBIGUOUS, TARGET_BAD_ESCAPE, TARGET_INCOMPLETE, TARGET_INVALID } from './path.ts'
import type { HttpRefusalCode } from './refusal.ts'

const SLASH = 0x2f
const ASTERISK = 0x2a
const QUESTION = 0x3f
const VERSION_PREFIX = Buffer.from('HTTP/', 'latin1')
const CONNECT = Buffer.from('CONNECT', 'latin1')
const OPTIONS = Buffer.from('OPTIONS', 'latin1')

/** Upper case only: an application that ignores the case of `get` would not see the method that was decided upon. */
const METHOD_BYTE = tableOf('ABCDEFGHIJKLMNOPQRSTUVWXYZ-_', () => 1)

const REFUSAL_OF_TARGET: Readonly<Record<number, HttpRefusalCode>> = {
  [TARGET_INVALID]: 'invalid_target',
  [TARGET_AMBIGUOUS]: 'ambiguous_path',
  [TARGET_BAD_ESCAPE]: 'invalid_escape',
}

export class RequestLine {
  methodStart = 0
  methodEnd = 0
  pathStart = 0
  pathEnd = 0
  queryStart = 0
  queryEnd = 0
  minorVersion = 1
  refusal: HttpRefusalCode = 'invalid_request_line'
  readonly #maxTargetBytes: number

  constructor(maxTargetBytes: number) {
    this.#maxTargetBytes = maxTargetBytes
  }

  /** Returns the offset after the line, `INCOMPLETE`, or `REFUSED` with `refusal` set. Judges complete lines only. */
  scan(bytes: Buffer, from: number, to: number): number {
    const end = this.#scan(bytes, from, to)
    if (end >= 0 || !hasLineEnd(bytes, from, to)) return Math.max(end, INCOMPLETE)
    if (end === INCOMPLETE) this.refusal = 'invalid_request_line'
    return REFUSED
  }

  #scan(bytes: Buffer, from: number, to: number): number {
    let pos = from
    while (pos < to && METHOD_BYTE[bytes[pos]!] === 1) pos++
    if (pos === to) return INCOMPLETE
    if (pos === from || bytes[pos] !== SP) return this.#refuse('invalid_request_line')
    this.methodStart = from
    this.methodEnd = pos
    const targetEnd = this.#scanTarget(bytes, pos + 1, to)
    if (targetEnd < 0) return targetEnd
    if (targetEnd - this.pathStart > this.#maxTargetBytes) return this.#refuse('target_too_long')
    return this.#scanVersion(bytes, targetEnd + 1, to)
  }

  #scanTarget(bytes: Buffer, from: number, to: number): number {
    if (this.#isMethod(bytes, CONNECT)) return this.#refuse('connect_not_supported')
    if (from >= to) return INCOMPLETE
    this.pathStart = from
    if (bytes[from] === ASTERISK && bytes[from + 1] === SP && this.#isMethod(bytes, OPTIONS)) {
      this.pathEnd = this.queryStart = this.queryEnd = from + 1
      return from + 1
    }
    if (bytes[from] !== SLASH) return this.#refuse('invalid_target')
    const pathEnd = scanPath(bytes, from, to)
    if (pathEnd < 0) return this.#refuseTarget(pathEnd)
    this.pathEnd = this.queryStart = this.queryEnd = pathEnd
    if (bytes[pathEnd] !== QUESTION) return pathEnd
    const queryEnd = scanQuery(bytes, pathEnd + 1, to)
    if (queryEnd < 0) return this.#refuseTarget(queryEnd)
    this.queryStart = pathEnd + 1
    return (this.queryEnd = queryEnd)
  }

  #scanVersion(bytes: Buffer, from: number, to: number): number {
    if (to - from < 9) return INCOMPLETE
    for (let i = 0; i < VERSION_PREFIX.length; i++)
      if (bytes[from + i] !== VERSION_PREFIX[i]) return this.#refuse('invalid_request_line')
    const major = bytes[from + 5]
    const minor = bytes[from + 7]
    if (!isDigit(major) || bytes[from + 6] !== 0x2e || !isDigit(minor)) return this.#refuse('invalid_request_line')
    if (bytes[from + 8] === LF) return this.#refuse('invalid_line_ending')
    if (bytes[from + 8] !== CR) return this.#refuse('invalid_request_line')
    if (to - from < 10) return INCOMPLETE
    if (bytes[from + 9] !== LF) return this.#refuse('invalid_line_ending')
    if (major !== 0x31 || minor! > 0x31) return this.#refuse('unsupported_version')
    this.minorVersion = minor! - 0x30
    return from + 10
  }

  #isMethod(bytes: Buffer, method: Buffer): boolean {
    if (this.methodEnd - this.methodStart !== method.length) return false
    for (let i = 0; i < method.length; i++) if (bytes[this.methodStart + i] !== method[i]) return false
    return true
  }

  #refuseTarget(result: number): number {
    return result === TARGET_INCOMPLETE ? INCOMPLETE : this.#refuse(REFUSAL_OF_TARGET[result]!)
  }

  #refuse(code: HttpRefusalCode): number {
    this.refusal = code
    return REFUSED
  }
}
