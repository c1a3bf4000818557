import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Clock } from '@picket/runtime'
import { Body } from './body.ts'
import type { Exchange, ExchangeOutcome, ForwardOptions } from './exchange.ts'
import type { ExchangeFlag } from './exchange-flag.ts'
import { Forwarding } from './forwarding.ts'
import type { InputBuffer } from './input-buffer.ts'
import type { HttpLimits } from './limits.ts'
import { writeOwnResponse, type ConnectionLine } from './message-writer.ts'
import type { OutputBuffer } from './output-buffer.ts'
import { refusalOf, type HttpRefusalCode } from './refusal.ts'
import type { ScannedRequestHead } from './scanned-request-head.ts'

/** The connection as its exchange sees it. */
export interface ExchangeConnection {
  readonly socket: Socket | TLSSocket
  readonly head: ScannedRequestHead
  readonly input: InputBuffer
  readonly output: OutputBuffer
  readonly isDraining: boolean
  /** The caller has ended its sending side. */
  readonly isHalfClosed: boolean
  readonly clock: Clock
  readonly limits: HttpLimits
  setDeadline(spanMs: number): void
  outcome(outcome: ExchangeOutcome): void
  failureAnswer(
    flag: ExchangeFlag,
    status: number,
  ): { readonly headers: readonly (readonly [string, string])[]; readonly body: string }
  /** The exchange is over and its answer handed to the socket. */
  exchangeEnded(keepsConnection: boolean): void
  /** Looks again at what can be done with waiting input. */
  proceed(): void
  /** Drops the connection so that the caller notices that the answer is not complete. */
  cut(): void
}

/** What we answer when the upstream does not. */
const FAILURE_STATUS = {
  upstream_connect_failed: 502,
  upstream_connect_timeout: 504,
  upstream_untrusted: 502,
  upstream_overflow: 503,
  upstream_reset: 502,
  upstream_protocol_error: 502,
  response_timeout: 504,
  request_timeout: 504,
  body_timeout: 408,
  drained: 503,
  internal_error: 500,
  request_refused: 400,
  client_disconnected: 499,
  '': 500,
} as const satisfies Record<ExchangeFlag, number>

type Stage = 'waiting' | 'forwarding' | 'draining' | 'ended'
type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** The one exchange object of a connection, begun anew for each request. */
export class ServerExchange implements Exchange {
  readonly head: ScannedRequestHead
  readonly body: Body
  readonly input: InputBuffer
  readonly output: OutputBuffer
  readonly socket: Socket | TLSSocket
  startedMs = 0
  readonly #connection: ExchangeConnection
  readonly #limits: HttpLimits
  readonly #forwarding: Forwarding
  readonly #outcome: Mutable<ExchangeOutcome> = {
    status: 0,
    requestBytes: 0,
    responseBytes: 0,
    durationMs: 0,
    upstreamMs: 0,
    flag: '',
    detail: '',
    reused: false,
    retried: false,
  }
  #stage: Stage = 'ended'
  #headBytes = 0
  #forwardedMs = 0
  #drainedBytes = 0

  constructor(connection: ExchangeConnection) {
    this.#connection = connection
    this.#limits = connection.limits
    this.head = connection.head
    this.input = connection.input
    this.output = connection.output
    this.socket = connection.socket
    this.body = new Body(connection.limits)
    this.#forwarding = new Forwarding(this, connection.limits)
  }

  begin(headBytes: number): void {
    const { chunked, contentLength } = this.head.framing
    if (chunked) this.body.begin('chunked')
    else if (contentLength >= 0) this.body.begin('length', contentLength)
    else this.body.begin('none')
    const outcome = this.#outcome
    outcome.status = outcome.requestBytes = outcome.responseBytes = outcome.durationMs = outcome.upstreamMs = 0
    outcome.flag = outcome.detail = ''
    outcome.reused = outcome.retried = false
    this.#headBytes = headBytes
    this.#drainedBytes = this.#forwardedMs = 0
    this.#stage = 'waiting'
    this.startedMs = this.#connection.clock.monotonicMs()
  }

  respond(status: number, headers: readonly (readonly [string, string])[], body: string | Buffer): void {
    if (this.#stage === 'waiting') this.#answer(status, headers, body)
  }

  forward(options: ForwardOptions): void {
    if (this.#stage !== 'waiting') return
    this.#stage = 'forwarding'
    this.#forwardedMs = this.startedMs
    this.#forwarding.start(options)
  }

  /** Uses what it can of the input. Returns true when there may be more to do. */
  takeInput(): boolean {
    if (this.#stage === 'forwarding') return this.#forwarding.takeInput()
    return this.#stage === 'draining' && this.#drain()
  }

  /** True while more bytes from the caller would only pile up. */
  get isBlocked(): boolean {
    if (!this.input.isEmpty) return true
    return this.#stage === 'forwarding' && !this.body.isDone && !this.#forwarding.wantsRequestBytes
  }

  get mayKeepConnection(): boolean {
    // A caller that got its final answer instead of a 100 may or may not send the body: the next head cannot be found.
    const isBodyUnsure = this.head.expectsContinue && !this.body.isDone
    const isLast = this.#connection.isDraining || (this.#connection.isHalfClosed && this.input.isEmpty)
    return this.head.keepsAlive && !isLast && !isBodyUnsure
  }

  connectionLine(keeps: boolean): ConnectionLine {
    if (!keeps) return 'close'
    return this.head.version === '1.0' ? 'keep-alive' : ''
  }

  answered(status: number): void {
    this.#outcome.status = status
    this.#outcome.upstreamMs = this.#connection.clock.monotonicMs() - this.#forwardedMs
  }

  sent(bytes: number): void {
    this.#outcome.responseBytes += bytes
  }

  setDeadline(spanMs: number): void {
    this.#connection.setDeadline(spanMs)
  }

  proceed(): void {
    this.#connection.proceed()
  }

  /** The answer is complete. What the caller still sends of its request is read up to a bound. */
  finish(keepsConnection: boolean): void {
    this.#report()
    const isTooMuch = this.body.knownRemaining > this.#limits.drainBytes
    if (this.body.isDone || !keepsConnection || isTooMuch) return this.#end(keepsConnection && this.body.isDone)
    this.#stage = 'draining'
    this.setDeadline(this.#limits.lingerMs)
    this.proceed()
  }

  /** The upstream failed us. Before its response head that is an answer of ours, after it the connection is cut. */
  fail(flag: ExchangeFlag, detail: string): void {
    this.#forwarding.abort()
    this.#outcome.flag = flag
    this.#outcome.detail = detail
    if (this.#forwarding.hasAnswered) return this.#cut()
    this.#answerFailure(flag, FAILURE_STATUS[flag], flag !== 'body_timeout')
  }

  /** The body's framing is bad: the upstream never gets a complete request. */
  refuseBody(code: HttpRefusalCode): void {
    const hasAnswered = this.#forwarding.hasAnswered && this.#stage === 'forwarding'
    if (this.#stage === 'forwarding') this.#forwarding.abort()
    this.#outcome.flag = 'request_refused'
    this.#outcome.detail = code
    if (hasAnswered) return this.#cut()
    this.#answerFailure('request_refused', refusalOf(code).status, false)
  }

  /** The handler threw: the one thing here that is nobody's bytes' fault. */
  failHandler(detail: string): void {
    if (this.#stage === 'forwarding') return this.fail('internal_error', detail)
    if (this.#stage !== 'waiting') return
    this.#outcome.flag = 'internal_error'
    this.#outcome.detail = detail
    this.#answerFailure('internal_error', FAILURE_STATUS.internal_error, true)
  }

  expired(nowMs: number): void {
    const { requestTimeoutMs } = this.#limits
    if (this.#stage === 'draining') return this.#end(false)
    if (requestTimeoutMs > 0 && nowMs - this.startedMs >= requestTimeoutMs) return this.#timeOut('request_timeout')
    if (this.#connection.isHalfClosed) return this.clientGone('client_disconnected')
    if (this.#stage === 'waiting') return
    if (this.#forwarding.isClientFull) return this.clientGone('client_disconnected')
    const isUpload = !this.body.isDone && !this.#forwarding.hasAnswered
    this.#timeOut(isUpload && this.#forwarding.wantsRequestBytes ? 'body_timeout' : 'response_timeout')
  }

  #timeOut(flag: ExchangeFlag): void {
    if (this.#stage === 'forwarding') return this.fail(flag, 'out of time')
    this.#outcome.flag = flag
    this.#answerFailure(flag, FAILURE_STATUS[flag], false)
  }

  /** The connection is gone, or must go because the caller is. */
  clientGone(flag: ExchangeFlag): void {
    if (this.#stage === 'ended') return
    if (this.#stage === 'draining') return this.#end(false)
    if (this.#stage === 'forwarding') this.#forwarding.abort()
    this.#outcome.flag = flag
    this.#cut()
  }

  clientDrained(): void {
    if (this.#stage === 'forwarding') this.#forwarding.clientDrained()
  }

  #answerFailure(flag: ExchangeFlag, status: number, mayKeep: boolean): void {
    const { headers, body } = this.#connection.failureAnswer(flag, status)
    this.#answer(status, headers, body, mayKeep)
  }

  #answer(
    status: number,
    headers: readonly (readonly [string, string])[],
    body: string | Buffer,
    mayKeep = true,
  ): void {
    const keeps = mayKeep && this.mayKeepConnection && this.body.knownRemaining <= this.#limits.drainBytes
    this.output.begin()
    writeOwnResponse(this.output, status, headers, body, this.connectionLine(keeps), this.head.isHead)
    this.#outcome.status = status
    this.sent(this.output.length)
    this.output.sendTo(this.socket)
    this.finish(keeps)
  }

  #drain(): boolean {
    const { body, input } = this
    if (input.isEmpty) return false
    const before = input.at
    const end = body.consume(input.bytes, before, input.end)
    input.use(end)
    this.#drainedBytes += end - before
    if (body.refusal !== undefined || this.#drainedBytes > this.#limits.drainBytes) this.#end(false)
    else if (body.isDone) this.#end(true)
    return true
  }

  #cut(): void {
    this.#report()
    this.#stage = 'ended'
    this.#connection.cut()
  }

  #end(keepsConnection: boolean): void {
    this.#stage = 'ended'
    this.#forwarding.trim()
    this.#connection.exchangeEnded(keepsConnection)
  }

  #report(): void {
    const outcome = this.#outcome
    outcome.requestBytes = this.#headBytes + this.body.byteCount
    outcome.durationMs = this.#connection.clock.monotonicMs() - this.startedMs
    if (this.#stage === 'forwarding') {
      outcome.reused = this.#forwarding.isReused
      outcome.retried = this.#forwarding.wasRetried
    }
    this.#connection.outcome(outcome)
  }
}
