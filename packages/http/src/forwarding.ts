/**
 * One request to the upstream and its response back: head and first body bytes leave in one write each way, everything after
 * streams with backpressure.
 *
 * A request is sent again, once and on a fresh connection, only when a reused connection died before any byte of a response
 * and all bytes sent so far are still held here, and only if doing it twice is safe: the method is idempotent (RFC 9110
 * §9.2.2), or the kernel refused our bytes (EPIPE) so that the upstream cannot have had the whole request. A POST that the
 * upstream may have acted upon is answered 502 instead.
 */
import { Body } from './body.ts'
import type { ExchangeFlag, ForwardOptions } from './exchange.ts'
import { INCOMPLETE, REFUSED } from './header-fields.ts'
import { InputBuffer } from './input-buffer.ts'
import { writeAndForget } from './large-write.ts'
import type { HttpLimits } from './limits.ts'
import { writeRequestHead, writeResponseHead } from './message-writer.ts'
import { CRLF } from './octets.ts'
import { OutputBuffer } from './output-buffer.ts'
import { ScannedResponseHead } from './response-head.ts'
import type { ServerExchange } from './server-exchange.ts'
import type { UpstreamConnection, UpstreamUser } from './upstream-connection.ts'

const LAST_CHUNK = Buffer.from('0\r\n\r\n', 'latin1')

export class Forwarding implements UpstreamUser {
  wantsFresh = false
  /** True once bytes of the final response head went to the client: from then on a failure can only cut. */
  hasAnswered = false
  isReused = false
  readonly #exchange: ServerExchange
  readonly #limits: HttpLimits
  readonly #request = new OutputBuffer()
  readonly #response: ScannedResponseHead
  readonly #responseBody: Body
  /** A response head that came in pieces. */
  readonly #partial = new InputBuffer()
  #options: ForwardOptions | undefined
  #upstream: UpstreamConnection | undefined
  /** All request bytes sent so far are in `#request`. */
  #isHeld = true
  #hasResponseBytes = false
  #isUpstreamFull = false
  #isClientFull = false
  #becomesChunked = false
  #keepsClient = false
  #interimResponses = 0

  constructor(exchange: ServerExchange, limits: HttpLimits) {
    this.#exchange = exchange
    this.#limits = limits
    this.#response = new ScannedResponseHead(limits)
    this.#responseBody = new Body(limits)
  }

  get wasRetried(): boolean {
    return this.wantsFresh
  }

  /** Composes the request and asks for a connection. Nothing is dialled for a body that is already known to be bad. */
  start(options: ForwardOptions): void {
    const { head, body, input } = this.#exchange
    this.#options = options
    this.wantsFresh = this.hasAnswered = this.isReused = false
    this.#isHeld = true
    this.#hasResponseBytes = this.#isUpstreamFull = this.#isClientFull = false
    this.#interimResponses = 0
    this.#partial.clear()

    const out = this.#request
    out.begin()
    writeRequestHead(
      out,
      head,
      options.removeRequestHeaders,
      options.addRequestHeaders,
      options.addRequestHeadersLength,
    )
    if (!body.isDone && !input.isEmpty) {
      body.forbiddenTrailers = options.removeRequestHeaders
      const from = input.at
      const end = body.consume(input.bytes, from, input.end)
      if (body.refusal) return this.#exchange.refuseBody(body.refusal)
      out.append(input.bytes, from, body.passEnd)
      out.append(body.tail)
      input.use(end)
    }
    options.pool.acquire(this)
  }

  upstreamReady(upstream: UpstreamConnection): void {
    this.#upstream = upstream
    this.isReused = upstream.isReused
    this.#isUpstreamFull = !this.#request.sendTo(upstream.socket)
    this.#requestProgressed()
    this.#exchange.proceed()
  }

  upstreamUnavailable(flag: ExchangeFlag, detail: string): void {
    this.#exchange.fail(flag, detail)
  }

  upstreamDrained(): void {
    this.#isUpstreamFull = false
    this.#exchange.proceed()
  }

  /** True while the caller does not take what we have for it. */
  get isClientFull(): boolean {
    return this.#isClientFull
  }

  get wantsRequestBytes(): boolean {
    return this.#upstream !== undefined && !this.#isUpstreamFull
  }

  /** Sends what came of the request body. Returns true when the exchange moved on. */
  takeInput(): boolean {
    const { body, input } = this.#exchange
    if (body.isDone || input.isEmpty || !this.wantsRequestBytes) return false
    const { bytes, at: from, end: to } = input
    const end = body.consume(bytes, from, to)
    if (body.refusal) {
      this.#exchange.refuseBody(body.refusal)
      return true
    }
    input.use(end)
    this.#isHeld = false
    const { socket } = this.#upstream!
    let isTaken = true
    if (body.passEnd > from) isTaken = writeAndForget(socket, bytes, from, body.passEnd)
    if (body.tail.length > 0) isTaken = socket.write(body.tail)
    this.#isUpstreamFull = !isTaken
    this.#requestProgressed()
    return false
  }

  #requestProgressed(): void {
    const isSent = this.#exchange.body.isDone && !this.hasAnswered
    this.#exchange.setDeadline(isSent ? this.#options!.pool.responseTimeoutMs : this.#limits.bodyIdleTimeoutMs)
  }

  upstreamBytes(bytes: Buffer, from: number, to: number, isShared: boolean): void {
    this.#hasResponseBytes = true
    if (this.hasAnswered) return this.#relayBody(bytes, from, to, isShared)
    if (this.#partial.isEmpty) {
      this.#response.begin(from)
      return this.#readHead(bytes, from, to, isShared)
    }
    if (this.#partial.append(bytes, from, to)) this.#response.begin(this.#partial.at)
    this.#readHead(this.#partial.bytes, this.#partial.at, this.#partial.end, false)
  }

  #readHead(bytes: Buffer, from: number, to: number, isShared: boolean): void {
    let pos = from
    for (;;) {
      const end = this.#response.scan(bytes, to)
      if (end === REFUSED) return this.#exchange.fail('upstream_protocol_error', this.#response.refusal)
      if (end === INCOMPLETE) return this.#keepPartial(bytes, pos, to)
      pos = end
      if (!this.#response.isInterim) break
      if (!this.#relayInterim()) return
      this.#response.begin(pos)
    }
    this.#relayHead(bytes, pos, to, isShared)
  }

  #keepPartial(bytes: Buffer, pos: number, to: number): void {
    if (bytes === this.#partial.bytes) return this.#partial.use(pos)
    this.#partial.clear()
    if (pos === to) return
    this.#partial.append(bytes, pos, to)
    this.#response.begin(0)
  }

  /** Relays a 1xx to callers that know them. False when that ended the exchange. */
  #relayInterim(): boolean {
    const { socket, output, head } = this.#exchange
    const isTooMany = ++this.#interimResponses > this.#limits.interimResponses
    if (this.#response.status === 101 || isTooMany) {
      this.#exchange.fail('upstream_protocol_error', isTooMany ? 'too many interim responses' : 'unasked 101')
      return false
    }
    if (head.version === '1.0') return true
    output.begin()
    writeResponseHead(output, this.#response, '', false, this.#options!.removeResponseHeaders)
    this.#exchange.sent(output.length)
    output.sendTo(socket)
    return true
  }

  #relayHead(bytes: Buffer, from: number, to: number, isShared: boolean): void {
    const exchange = this.#exchange
    const { head, output } = exchange
    const response = this.#response
    const { framing } = response
    if (response.isBodiless(head.isHead)) this.#responseBody.begin('none')
    else if (framing.chunked) this.#responseBody.begin('chunked')
    else if (framing.contentLength >= 0) this.#responseBody.begin('length', framing.contentLength)
    else this.#responseBody.begin('close')

    const isUnframed = this.#responseBody.kind === 'close'
    if (framing.chunked && head.version === '1.0') return exchange.fail('upstream_protocol_error', 'chunked for 1.0')
    this.#becomesChunked = isUnframed && head.version === '1.1'
    this.#keepsClient = exchange.mayKeepConnection && (!isUnframed || this.#becomesChunked)
    const { removeResponseHeaders, addResponseHeaders } = this.#options!
    this.#responseBody.forbiddenTrailers = removeResponseHeaders
    this.hasAnswered = true
    this.#partial.clear()
    exchange.answered(response.status)
    output.begin()
    writeResponseHead(
      output,
      response,
      exchange.connectionLine(this.#keepsClient),
      this.#becomesChunked,
      removeResponseHeaders,
      addResponseHeaders,
    )
    this.#relayPiece(bytes, from, to, isShared)
  }

  #relayBody(bytes: Buffer, from: number, to: number, isShared: boolean): void {
    this.#exchange.output.begin()
    this.#relayPiece(bytes, from, to, isShared)
  }

  /** Sends what `output` holds and the body bytes of this piece: together where copying is cheap or needed anyway. */
  #relayPiece(bytes: Buffer, from: number, to: number, isShared: boolean): void {
    const { output, socket } = this.#exchange
    const body = this.#responseBody
    const end = body.consume(bytes, from, to)
    if (body.refusal) return this.#exchange.fail('upstream_protocol_error', body.refusal)
    const size = body.passEnd - from
    let isTaken = true
    if (this.#becomesChunked && size > 0) output.appendText(`${size.toString(16)}\r\n`)
    if (isShared || output.length > 0 || size === 0) {
      output.append(bytes, from, body.passEnd)
      if (this.#becomesChunked && size > 0) output.append(CRLF)
      output.append(body.tail)
      this.#exchange.sent(output.length)
      if (output.length > 0) isTaken = output.sendTo(socket)
    } else {
      this.#exchange.sent(size + body.tail.length)
      isTaken = writeAndForget(socket, bytes, from, body.passEnd)
      if (body.tail.length > 0) isTaken = socket.write(body.tail)
    }
    if (body.isDone) return this.#finish(end < to)
    this.#exchange.setDeadline(this.#limits.bodyIdleTimeoutMs)
    if (isTaken || this.#isClientFull) return
    this.#isClientFull = true
    this.#upstream!.socket.pause()
  }

  clientDrained(): void {
    if (!this.#isClientFull) return
    this.#isClientFull = false
    this.#exchange.setDeadline(this.#limits.bodyIdleTimeoutMs)
    this.#upstream?.socket.resume()
  }

  upstreamClosed(isClean: boolean, detail: string): void {
    const upstream = this.#upstream!
    this.#upstream = undefined
    if (this.hasAnswered && isClean && this.#responseBody.kind === 'close') return this.#finishUnframed()
    if (!this.#mayRetry(upstream)) return this.#exchange.fail('upstream_reset', detail)
    this.wantsFresh = true
    this.#options!.pool.countReuseRace()
    this.#options!.pool.acquire(this)
  }

  #mayRetry(upstream: UpstreamConnection): boolean {
    if (!upstream.isReused || this.wantsFresh || this.#hasResponseBytes || !this.#isHeld) return false
    return this.#exchange.head.isIdempotent || upstream.writeFailed
  }

  #finishUnframed(): void {
    const { output, socket } = this.#exchange
    if (this.#becomesChunked) {
      output.begin()
      output.append(LAST_CHUNK)
      this.#exchange.sent(output.length)
      output.sendTo(socket)
    }
    this.#exchange.finish(this.#keepsClient)
  }

  #finish(hasExtraBytes: boolean): void {
    const upstream = this.#upstream!
    const { keepsAlive, keepAliveSeconds } = this.#response
    this.#upstream = undefined
    if (this.#isClientFull) upstream.socket.resume()
    const isReusable = keepsAlive && !hasExtraBytes && this.#exchange.body.isDone && !this.#isUpstreamFull
    this.#options!.pool.release(upstream, isReusable, keepAliveSeconds)
    this.#exchange.finish(this.#keepsClient)
  }

  /** The exchange is over: keeps no large buffers. */
  trim(): void {
    this.#request.trim()
  }

  /** Lets go of the upstream, whatever it was doing. */
  abort(): void {
    const upstream = this.#upstream
    this.#upstream = undefined
    if (upstream !== undefined) this.#options?.pool.release(upstream, false)
    else this.#options?.pool.cancel(this)
  }
}
