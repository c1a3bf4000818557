import { messageOf, type Clock, type Counter, type Logger, type Metrics } from '@picket/runtime'
import { LONGEST_RECORD, writeRefusal, writeRequest, type RefusalRecord, type RequestRecord } from './access-record.ts'
import { openLogSink, type LogSink } from './log-sink.ts'
import { RecordBuffer } from './record-buffer.ts'
import type { AccessLogTarget } from './settings.ts'

/** One JSON line per request, per refused handshake and per malformed head. It never holds traffic up. */
export interface AccessLog extends AsyncDisposable {
  request(request: RequestRecord): void
  /** Rare records: a refused handshake, bytes that were no request. */
  refusal(record: RefusalRecord): void
}

export interface AccessLogDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
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
const FLUSH_MS = 200
const CLOSE_MS = 2_000

const TIME = Buffer.from('{"time":"')

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
    if (line) writeRequest(line, record)
  }

  refusal(record: RefusalRecord): void {
    const line = this.#begin(this.#clock.monotonicMs())
    if (line) writeRefusal(line, record)
  }

  /** Makes room, writes the time, starts the flush timer. Undefined when the record is lost. */
  #begin(atMs: number): RecordBuffer | undefined {
    if (this.#filling.free < LONGEST_RECORD && !this.#flush()) {
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
