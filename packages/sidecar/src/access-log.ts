import type { RequestHead, ExchangeOutcome } from '@picket/http'
import {
  formatHostPort,
  messageOf,
  type Clock,
  type Counter,
  type HostPort,
  type Logger,
  type Metrics,
} from '@picket/runtime'
import { openLogSink, type LogSink } from './log-sink.ts'
import { RecordBuffer } from './record-buffer.ts'
import type { AccessLogTarget } from './settings.ts'

/** One JSON line per request, per refused handshake and per malformed head. It never holds traffic up. */
export interface AccessLog extends AsyncDisposable {
  request(request: RequestRecord): void
  /** Rare records: a refused handshake, bytes that were no request. */
  refusal(record: RefusalRecord): void
}

/** What a request's line is made of; implemented by the connection objects, so that no object is made per request. */
export interface RequestRecord {
  /** `,"kind":"request",…` as made by `connectionFields`. */
  readonly connectionFields: Buffer
  /** `,"decision":…` as made by `decisionFields`. */
  readonly decisionFields: Buffer
  readonly head: RequestHead
  readonly outcome: ExchangeOutcome
  /** Monotonic, see `Exchange.startedMs`. */
  readonly startedMs: number
  /** 36 ASCII bytes at `requestIdAt`. */
  readonly requestIdBytes: Buffer
  readonly requestIdAt: number
}

export interface RefusalRecord {
  readonly kind: 'handshake' | 'malformed'
  readonly direction: Direction
  readonly service: string
  readonly caller?: string
  readonly peer: HostPort | undefined
  readonly status?: number
  readonly reason: string
  readonly message: string
}

export type Direction = 'inbound' | 'outbound'

export interface AccessLogDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

/** Constant part of a connection's request lines, rendered once. */
export function connectionFields(fields: {
  readonly direction: Direction
  readonly service: string
  readonly caller: string
  readonly callee?: string
  readonly peer: HostPort | undefined
}): Buffer {
  const { peer, ...rest } = fields
  return toFields({ kind: 'request', ...rest, peer: peer ? formatHostPort(peer) : '' })
}

/** Constant part of a decision, rendered once per revision and outcome. */
export function decisionFields(decision: string, reason: string, detail: string, revision: string): Buffer {
  const shown = detail === '' ? {} : { detail: detail.slice(0, 256) }
  return toFields({ decision, reason, ...shown, revision: revision.slice(0, 256) })
}

function toFields(fields: Readonly<Record<string, string>>): Buffer {
  return Buffer.from(`,${JSON.stringify(fields).slice(1, -1)}`)
}

/** Opens the log. Throws `ERR_INPUT_FILE` when the file cannot be opened. Disposal flushes, for at most two seconds. */
export async function createAccessLog(
  target: AccessLogTarget,
  deps: AccessLogDeps,
  open: (target: Exclude<AccessLogTarget, { kind: 'none' }>) => LogSink = openLogSink,
): Promise<AccessLog> {
  if (target.kind === 'none') return { request() {}, refusal() {}, async [Symbol.asyncDispose]() {} }
  return new BufferedAccessLog(open(target), deps)
}

const BUFFER_BYTES = 256 * 1024
/** No line is longer: constants are bounded by SPIFFE's 2048 bytes per ID, the path by `LONGEST_PATH`. */
const LONGEST_LINE = 24 * 1024
const LONGEST_PATH = 1024
const FLUSH_MS = 200
const CLOSE_MS = 2_000

const TIME = Buffer.from('{"time":"')
const METHOD = Buffer.from(',"method":"')
const PATH = Buffer.from('","path":"')
const CUT = Buffer.from('…')
const STATUS = Buffer.from('","status":')
const DECISION_ID = Buffer.from(',"decision_id":"')
const DURATION = Buffer.from('","duration_us":')
const REQUEST_BYTES = Buffer.from(',"request_bytes":')
const RESPONSE_BYTES = Buffer.from(',"response_bytes":')
const UPSTREAM = Buffer.from(',"upstream_us":')
const FLAG = Buffer.from(',"flag":"')
const END = Buffer.from('"}\n')
const REQUEST_ID_BYTES = 36

/** The rare case: what went wrong, and more about it where there is more. */
function writeFlag(line: RecordBuffer, { flag, detail }: ExchangeOutcome): void {
  line.text(detail === '' ? flag : `${flag}","cause":${JSON.stringify(detail.slice(0, 256)).slice(0, -1)}`)
}

/** What a buffer holds: when it cannot be written, all of that is lost. */
interface Contents {
  records: number
  /** Earlier losses that its gap line tells of. */
  gap: number
  /** It begins by ending a torn line. */
  endsTorn: boolean
}

/** Two buffers: one is filled while the other is written. When both are full, records are counted instead of kept. */
class BufferedAccessLog implements AccessLog {
  readonly #sink: LogSink
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #dropped: Counter
  #filling = new RecordBuffer(BUFFER_BYTES)
  #spare: RecordBuffer | undefined = new RecordBuffer(BUFFER_BYTES)
  #contents: Contents = { records: 0, gap: 0, endsTorn: false }
  /** Records lost since the last gap line. */
  #lost = 0
  /** What was written last ends in the middle of a line. */
  #torn = false
  #failing = false
  #timer: Disposable | undefined
  #idle: (() => void) | undefined
  /** Wall clock minus monotonic clock, measured at each flush: a line's time costs no clock call of its own. */
  #wallOffsetMs: number
  #second = Number.NaN
  readonly #secondText = Buffer.allocUnsafeSlow(20)

  constructor(sink: LogSink, { clock, logger, metrics }: AccessLogDeps) {
    this.#sink = sink
    this.#clock = clock
    this.#logger = logger
    this.#dropped = metrics.counter('picket_access_log_dropped_total', 'Access records that could not be written')
    this.#wallOffsetMs = clock.now() - clock.monotonicMs()
  }

  request(record: RequestRecord): void {
    const line = this.#begin(record.startedMs)
    if (!line) return
    const { head, outcome } = record
    line.copyBlock(record.connectionFields)
    line.copy(METHOD)
    line.escaped(head.bytes, head.methodStart, head.methodEnd)
    line.copy(PATH)
    const pathEnd = Math.min(head.pathEnd, head.pathStart + LONGEST_PATH)
    line.escaped(head.bytes, head.pathStart, pathEnd)
    if (pathEnd < head.pathEnd) line.copy(CUT)
    line.copy(STATUS)
    line.integer(outcome.status)
    line.copyBlock(record.decisionFields)
    line.copy(DECISION_ID)
    line.copy(record.requestIdBytes, record.requestIdAt, record.requestIdAt + REQUEST_ID_BYTES)
    line.copy(DURATION)
    line.integer(outcome.durationMs * 1000)
    line.copy(REQUEST_BYTES)
    line.integer(outcome.requestBytes)
    line.copy(RESPONSE_BYTES)
    line.integer(outcome.responseBytes)
    line.copy(UPSTREAM)
    line.integer(outcome.upstreamMs * 1000)
    line.copy(FLAG)
    if (outcome.flag !== '') writeFlag(line, outcome)
    line.copy(END)
  }

  refusal({ peer, message, ...fields }: RefusalRecord): void {
    const line = this.#begin(this.#clock.monotonicMs())
    const shown = {
      ...fields,
      decision: 'refuse',
      peer: peer ? formatHostPort(peer) : '',
      message: message.slice(0, 1024),
    }
    line?.text(`,${JSON.stringify(shown).slice(1)}\n`)
  }

  /** Makes room, writes the time, starts the flush timer. Undefined when the record is lost. */
  #begin(atMs: number): RecordBuffer | undefined {
    if (this.#filling.free < LONGEST_LINE && !this.#flush()) {
      this.#lost += 1
      this.#dropped.add()
      return undefined
    }
    this.#timer ??= this.#clock.after(FLUSH_MS, () => this.#onTimer())
    if (this.#lost > 0 && this.#contents.records === 0) this.#writeGap(atMs)
    this.#contents.records += 1
    this.#writeTime(atMs)
    return this.#filling
  }

  #writeGap(atMs: number): void {
    if (this.#torn) this.#filling.text('\n')
    this.#contents.gap = this.#lost
    this.#contents.endsTorn = this.#torn
    this.#torn = false
    this.#writeTime(atMs)
    this.#filling.text(`,"kind":"gap","dropped":${this.#lost}}\n`)
    this.#lost = 0
  }

  #writeTime(atMs: number): void {
    const wallMs = atMs + this.#wallOffsetMs
    const second = Math.floor(wallMs / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#secondText.write(new Date(second * 1000).toISOString(), 0, 20, 'latin1')
    }
    const line = this.#filling
    line.copy(TIME)
    line.copy(this.#secondText)
    const ms = Math.floor(wallMs - second * 1000)
    const { bytes } = line
    let at = line.length
    bytes[at++] = 0x30 + Math.floor(ms / 100)
    bytes[at++] = 0x30 + (Math.floor(ms / 10) % 10)
    bytes[at++] = 0x30 + (ms % 10)
    bytes[at++] = 0x5a
    bytes[at++] = 0x22
    line.length = at
  }

  #onTimer(): void {
    this.#timer = undefined
    this.#wallOffsetMs = this.#clock.now() - this.#clock.monotonicMs()
    if (!this.#flush() && this.#contents.records > 0) this.#timer = this.#clock.after(FLUSH_MS, () => this.#onTimer())
  }

  /** Hands the filled buffer to the sink and goes on with the spare one; false while the sink is busy. */
  #flush(): boolean {
    if (!this.#spare) return false
    const full = this.#filling
    if (full.length === 0) return true
    const contents = this.#contents
    this.#filling = this.#spare
    this.#spare = undefined
    this.#contents = { records: 0, gap: 0, endsTorn: false }
    this.#sink.write(full.bytes.subarray(0, full.length), (error, written) => {
      if (error) this.#failed(error, contents, written)
      else if (this.#failing) this.#recovered()
      full.length = 0
      this.#spare = full
      this.#idle?.()
    })
    return true
  }

  #failed(error: Error, { records, gap, endsTorn }: Contents, written: number): void {
    this.#lost += records + gap
    this.#dropped.add(records)
    if (written > 0 || endsTorn) this.#torn = true
    if (!this.#failing) this.#logger.error('access records cannot be written', { error: messageOf(error) })
    this.#failing = true
  }

  #recovered(): void {
    this.#failing = false
    this.#logger.info('access records are written again')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer?.[Symbol.dispose]()
    const deadline = new AbortController()
    const flushed = this.#flushAll().finally(() => deadline.abort())
    await Promise.race([flushed, this.#clock.sleep(CLOSE_MS, deadline.signal).catch(() => {})])
    this.#sink.close()
  }

  async #flushAll(): Promise<void> {
    while (!this.#spare || this.#filling.length > 0) {
      if (this.#spare) this.#flush()
      else await new Promise<void>((resolve) => (this.#idle = resolve))
    }
  }
}
