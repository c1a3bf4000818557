/**
 * One request to the upstream and its response back: head and first body bytes leave in one write each way, everything
 * after streams with backpressure.
 *
 * A request is sent again, once and on a fresh connection, only when a reused connection died before any byte of a response
 * and all bytes sent so far are still held here, and only if doing it twice is safe: the method is idempotent (RFC 9110
 * §9.2.2), or the kernel refused our bytes (EPIPE) so that the upstream cannot have had the whole request. A POST that the
 * upstream may have acted upon is answered 502 instead.
 */
import type { ForwardOptions } from './exchange.ts'
import type { ExchangeFlag } from './exchange-flag.ts'
import { writeAndForget } from './large-write.ts'
import type { HttpLimits } from './limits.ts'
import { writeRequestHead } from './message-writer.ts'
import { OutputBuffer } from './output-buffer.ts'
import { ResponseRelay, type RelayOwner } from './response-relay.ts'
import type { ServerExchange } from './server-exchange.ts'
import type { UpstreamConnection, UpstreamUser } from './upstream-connection.ts'

export class Forwarding implements UpstreamUser, RelayOwner {
  wantsFresh = false
  isReused = false
  readonly #exchange: ServerExchange
  readonly #limits: HttpLimits
  readonly #relay: ResponseRelay
  /** The request as it is sent first, and perhaps again. */
  readonly #request = new OutputBuffer()
  #options: ForwardOptions | undefined
  #upstream: UpstreamConnection | undefined
  /** All request bytes sent so far are in `#request`. */
  #isHeld = true
  #isUpstreamFull = false

  constructor(exchange: ServerExchange, limits: HttpLimits) {
    this.#exchange = exchange
    this.#limits = limits
    this.#relay = new ResponseRelay(this, exchange, limits)
  }

  get wasRetried(): boolean {
    return this.wantsFresh
  }

  /** True once the final response head went to the caller: from then on a failure can only cut. */
  get hasAnswered(): boolean {
    return this.#relay.hasAnswered
  }

  /** True while the caller does not take what we have for it. */
  get isClientFull(): boolean {
    return this.#relay.isBlocked
  }

  get wantsRequestBytes(): boolean {
    return this.#upstream !== undefined && !this.#isUpstreamFull
  }

  /** Composes the request and asks for a connection. Nothing is dialled for a body that is already known to be bad. */
  start(options: ForwardOptions): void {
    const { head, body, input } = this.#exchange
    const out = this.#request
    this.#options = options
    this.wantsFresh = this.isReused = this.#isUpstreamFull = false
    this.#isHeld = true
    this.#relay.begin(options)
    body.forbiddenTrailers = options.removeRequestHeaders
    out.begin()
    writeRequestHead(out, head, options)
    if (!body.isDone && !input.isEmpty) {
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
    this.#relay.receive(bytes, from, to, isShared)
  }

  upstreamClosed(isClean: boolean, detail: string): void {
    const upstream = this.#upstream!
    this.#upstream = undefined
    if (isClean && this.#relay.endWithConnection()) return this.#exchange.finish(this.#relay.keepsClient)
    if (!this.#mayRetry(upstream)) return this.#exchange.fail('upstream_reset', detail)
    this.wantsFresh = true
    this.#options!.pool.countReuseRace()
    this.#options!.pool.acquire(this)
  }

  #mayRetry(upstream: UpstreamConnection): boolean {
    if (!upstream.isReused || this.wantsFresh || this.#relay.hasBytes || !this.#isHeld) return false
    return this.#exchange.head.isIdempotent || upstream.writeFailed
  }

  relayFailed(flag: ExchangeFlag, detail: string): void {
    this.#exchange.fail(flag, detail)
  }

  relayBlocked(): void {
    this.#upstream!.socket.pause()
  }

  clientDrained(): void {
    if (!this.#relay.isBlocked) return
    this.#relay.isBlocked = false
    this.#exchange.setDeadline(this.#limits.bodyIdleTimeoutMs)
    this.#upstream?.socket.resume()
  }

  relayEnded(hasExtraBytes: boolean): void {
    const upstream = this.#upstream!
    const { keepsAlive, keepAliveSeconds } = this.#relay.head
    this.#upstream = undefined
    if (this.#relay.isBlocked) upstream.socket.resume()
    const isReusable = keepsAlive && !hasExtraBytes && this.#exchange.body.isDone && !this.#isUpstreamFull
    this.#options!.pool.release(upstream, isReusable, keepAliveSeconds)
    this.#exchange.finish(this.#relay.keepsClient)
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
