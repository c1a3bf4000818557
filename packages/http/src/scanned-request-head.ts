import { isContinue, isHost } from './field-values.ts'
import { HeaderFields, INCOMPLETE, REFUSED } from './header-fields.ts'
import { allValues, indexOfField, isHopByHop, joinedValue } from './header-view.ts'
import { CONNECTION, EXPECT, HOST, OTHER } from './known-headers.ts'
import { DEFAULT_LIMITS, type HttpLimits } from './limits.ts'
import { MessageFraming } from './message-framing.ts'
import { CR, EMPTY, LF } from './octets.ts'
import { refusalOf, type HttpRefusal, type HttpRefusalCode } from './refusal.ts'
import { RequestLine } from './request-line.ts'
import type { RequestHead } from './request-head.ts'

/** One complete request head from bytes: for tests, replays and tools. Undefined while the head is incomplete. */
export function parseRequestHead(
  bytes: Buffer,
  limits: Partial<HttpLimits> = {},
): RequestHead | HttpRefusal | undefined {
  const head = new ScannedRequestHead({ ...DEFAULT_LIMITS, ...limits })
  head.begin(0)
  const end = head.scan(bytes, bytes.length)
  if (end === REFUSED) return refusalOf(head.refusal)
  return end === INCOMPLETE ? undefined : head
}

const METHODS = ['GET', 'PUT', 'POST', 'HEAD', 'PATCH', 'TRACE', 'DELETE', 'OPTIONS'] as const
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

/** The reader behind `RequestHead`: one per connection, `begin` and `scan` for each head. */
export class ScannedRequestHead implements RequestHead {
  bytes: Buffer = EMPTY
  /** Where the request line starts. */
  start = 0
  /** Where the empty line that ends the head starts. */
  fieldsEnd = 0
  hostStart = 0
  hostEnd = 0
  expectsContinue = false
  refusal: HttpRefusalCode = 'invalid_request_line'
  readonly fields: HeaderFields
  readonly framing = new MessageFraming()
  readonly #line: RequestLine
  readonly #limits: HttpLimits
  #begunAt = 0
  #isLineScanned = false
  #method: string | undefined
  #target: string | undefined
  #path: string | undefined
  #query: string | undefined
  #host: string | undefined

  constructor(limits: HttpLimits) {
    this.#limits = limits
    this.fields = new HeaderFields(limits.headers)
    this.#line = new RequestLine(limits.targetBytes)
  }

  /** Lets go of the bytes. */
  release(): void {
    this.bytes = EMPTY
  }

  /** The next head starts at `from`. */
  begin(from: number): void {
    this.start = this.#begunAt = from
    this.#isLineScanned = false
    this.#method = this.#target = this.#path = this.#query = this.#host = undefined
  }

  /**
   * Scans as far as whole lines reach, bytes `[start, to)`. Returns the offset after the head, `INCOMPLETE`, or `REFUSED` with
   * `refusal` set. After `INCOMPLETE` call again with the same bytes and more behind them.
   */
  scan(bytes: Buffer, to: number): number {
    this.bytes = bytes
    const limitedTo = Math.min(to, this.#begunAt + this.#limits.headBytes)
    if (!this.#isLineScanned) {
      const from = this.#afterEmptyLine(bytes, limitedTo)
      const lineEnd = this.#line.scan(bytes, from, limitedTo)
      if (lineEnd === REFUSED) return this.#refuse(this.#line.refusal)
      if (lineEnd === INCOMPLETE) return limitedTo < to ? this.#refuse('target_too_long') : INCOMPLETE
      this.start = from
      this.#isLineScanned = true
      this.fields.begin(lineEnd)
    }
    const end = this.fields.scan(bytes, limitedTo)
    if (end === REFUSED) return this.#refuse(this.fields.refusal)
    if (end === INCOMPLETE) return limitedTo < to ? this.#refuse('head_too_large') : INCOMPLETE
    this.fieldsEnd = end - 2
    const wrong = this.framing.read(bytes, this.fields, this.#line.minorVersion) ?? this.#readFields(bytes)
    return wrong ? this.#refuse(wrong) : end
  }

  /** One empty line before the request line is skipped (RFC 9112 §2.2); it is never forwarded. */
  #afterEmptyLine(bytes: Buffer, to: number): number {
    const { start } = this
    return to - start >= 2 && bytes[start] === CR && bytes[start + 1] === LF ? start + 2 : start
  }

  #readFields(bytes: Buffer): HttpRefusalCode | undefined {
    const { ids, offsets, count } = this.fields
    this.hostStart = this.hostEnd = 0
    this.expectsContinue = false
    for (let i = 0; i < count; i++) {
      const id = ids[i]!
      if (id === OTHER) continue
      const start = offsets[4 * i + 2]!
      const end = offsets[4 * i + 3]!
      if (id === HOST) {
        if (this.hostStart !== 0) return 'duplicate_host'
        if (!isHost(bytes, start, end)) return 'invalid_host'
        this.hostStart = start
        this.hostEnd = end
      } else if (id === EXPECT) {
        if (this.#line.minorVersion === 0)
          ids[i] = CONNECTION // RFC 9110 §10.1.1: not for HTTP/1.0; hidden and not forwarded
        else if (!isContinue(bytes, start, end)) return 'unsupported_expectation'
        else this.expectsContinue = true
      }
    }
    return this.hostStart === 0 && this.#line.minorVersion === 1 ? 'missing_host' : undefined
  }

  #refuse(code: HttpRefusalCode): number {
    this.refusal = code
    return REFUSED
  }

  get method(): string {
    return (this.#method ??= this.#readMethod())
  }

  #readMethod(): string {
    const { methodStart, methodEnd } = this.#line
    for (const method of METHODS)
      if (method.length === methodEnd - methodStart && startsWith(this.bytes, methodStart, method)) return method
    return this.bytes.toString('latin1', methodStart, methodEnd)
  }

  get isHead(): boolean {
    return this.method === 'HEAD'
  }

  get isIdempotent(): boolean {
    return IDEMPOTENT.has(this.method)
  }

  get target(): string {
    return (this.#target ??= this.bytes.toString('latin1', this.#line.pathStart, this.#line.queryEnd))
  }

  get path(): string {
    return (this.#path ??= this.bytes.toString('latin1', this.#line.pathStart, this.#line.pathEnd))
  }

  get query(): string {
    return (this.#query ??= this.bytes.toString('latin1', this.#line.queryStart, this.#line.queryEnd))
  }

  get host(): string {
    return (this.#host ??= this.bytes.toString('latin1', this.hostStart, this.hostEnd))
  }

  get version(): '1.0' | '1.1' {
    return this.#line.minorVersion === 1 ? '1.1' : '1.0'
  }

  /** Whether the caller wants the connection kept: the default in 1.1, asked for in 1.0. */
  get keepsAlive(): boolean {
    const { close, keepAlive } = this.framing
    return !close && (keepAlive || this.#line.minorVersion === 1)
  }

  get headerCount(): number {
    return this.fields.count
  }

  get offsets(): Uint32Array {
    return this.fields.offsets
  }

  get methodStart(): number {
    return this.#line.methodStart
  }

  get methodEnd(): number {
    return this.#line.methodEnd
  }

  get pathStart(): number {
    return this.#line.pathStart
  }

  get pathEnd(): number {
    return this.#line.pathEnd
  }

  get queryStart(): number {
    return this.#line.queryStart
  }

  get queryEnd(): number {
    return this.#line.queryEnd
  }

  header(lowerCaseName: string): string | undefined {
    return joinedValue(this.fields, this.bytes, lowerCaseName)
  }

  headers(): Record<string, string> {
    return allValues(this.fields, this.bytes)
  }

  indexOf(lowerCaseName: string, from = 0): number {
    return indexOfField(this.fields, this.bytes, lowerCaseName, from)
  }

  isShown(index: number): boolean {
    return !isHopByHop(this.fields, index)
  }
}

function startsWith(bytes: Buffer, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false
  return true
}
