import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { messageOf, type Clock } from '@picket/runtime'
import type { FailureAnswer, ServerConnection, ServerConnectionHandler } from './connection-handler.ts'
import type { ExchangeOutcome } from './exchange.ts'
import type { ExchangeFlag } from './exchange-flag.ts'
import { INCOMPLETE, REFUSED } from './header-fields.ts'
import { InputBuffer } from './input-buffer.ts'
import type { HttpLimits } from './limits.ts'
import { writeOwnResponse } from './message-writer.ts'
import { LF } from './octets.ts'
import { OutputBuffer } from './output-buffer.ts'
import { refusalOf, type HttpRefusalCode } from './refusal.ts'
import { ScannedRequestHead } from './scanned-request-head.ts'
import { ServerExchange, type ExchangeConnection } from './server-exchange.ts'
import { tickerOf, type Deadline, type Ticker } from './ticker.ts'

/** Speaks HTTP/1.1 on an accepted socket until it closes. */
export function serveConnection(
  socket: Socket | TLSSocket,
  handler: ServerConnectionHandler,
  options: { readonly limits: HttpLimits; readonly clock: Clock },
): ServerConnection {
  return new HttpServerConnection(socket, handler, options)
}

/** Bytes that are read and thrown away after the last answer, before the socket is dropped. */
const LINGER_BYTES = 1_048_576

/**
 * One accepted connection. Requests are taken strictly one after the other: the next head is not looked at before the last
 * answer has been handed over completely, and while bytes wait the socket is paused, so that a caller that pipelines holds
 * at most one read of our memory.
 */
class HttpServerConnection implements ServerConnection, ExchangeConnection, Deadline {
  readonly socket: Socket | TLSSocket
  readonly head: ScannedRequestHead
  readonly input = new InputBuffer()
  readonly output = new OutputBuffer()
  readonly clock: Clock
  readonly limits: HttpLimits
  deadlineMs = Infinity
  isDraining = false
  isHalfClosed = false
  readonly #handler: ServerConnectionHandler
  readonly #ticker: Ticker
  readonly #exchange: ServerExchange
  #phase: 'idle' | 'head' | 'exchange' | 'closing' | 'closed' = 'idle'
  #isAdvancing = false
  #isPaused = false
  #lingeredBytes = 0
  /** When the exchange in flight has to be over, whatever happens. */
  #lastMs = Infinity

  constructor(
    socket: Socket | TLSSocket,
    handler: ServerConnectionHandler,
    options: { readonly limits: HttpLimits; readonly clock: Clock },
  ) {
    this.socket = socket
    this.clock = options.clock
    this.limits = options.limits
    this.#handler = handler
    this.#ticker = tickerOf(options.clock)
    this.head = new ScannedRequestHead(options.limits)
    this.#exchange = new ServerExchange(this)
    this.#ticker.add(this)
    this.deadlineMs = this.#ticker.after(options.limits.idleTimeoutMs)
    socket.on('error', () => {}) // 'close' follows and does what there is to do
    socket.on('close', () => this.#closed())
    socket.on('end', () => this.#ended())
    socket.on('drain', () => this.#drained())
    socket.on('finish', () => this.#finished())
    socket.on('data', (piece: Buffer) => this.#receive(piece))
    socket.allowHalfOpen = true
    socket.setNoDelay(true)
    if (socket.destroyed) queueMicrotask(() => this.#closed())
    else socket.resume()
  }

  get busy(): boolean {
    return this.#phase === 'exchange'
  }

  drain(): void {
    this.isDraining = true
    if (this.#phase === 'idle') this.#startClosing()
  }

  destroy(): void {
    if (this.#phase === 'exchange') this.#exchange.clientGone('drained')
    this.socket.destroy()
  }

  #receive(piece: Buffer): void {
    if (this.#phase === 'closing' || this.#phase === 'closed') {
      this.#lingeredBytes += piece.length
      if (this.#lingeredBytes > LINGER_BYTES) this.socket.destroy()
      return
    }
    const moved = this.input.push(piece)
    if (this.#phase === 'head') {
      if (moved) this.head.begin(this.input.at)
      // A line that is still open cannot be judged yet: no second scan of it for every byte that drips in.
      if (piece.indexOf(LF) < 0 && this.input.size <= this.limits.headBytes) return
    }
    this.proceed()
  }

  proceed(): void {
    if (this.#isAdvancing) return
    this.#isAdvancing = true
    while (this.#advance());
    this.#isAdvancing = false
    if (this.isHalfClosed) this.#closeIfNothingMoreComes()
    this.#regulate()
  }

  #closeIfNothingMoreComes(): void {
    if (this.#phase === 'head') this.#startClosing()
    else if (!this.input.isEmpty) return
    else if (this.#phase === 'idle') this.#startClosing()
    else if (this.#phase === 'exchange' && !this.#exchange.body.isDone) this.#exchange.clientGone('client_disconnected')
  }

  /** Returns true when there may be more to do at once. */
  #advance(): boolean {
    switch (this.#phase) {
      case 'idle':
        if (this.input.isEmpty || this.socket.writableNeedDrain) return false
        this.head.begin(this.input.at)
        this.#phase = 'head'
        return this.#readHead()
      case 'head':
        return this.#readHead()
      case 'exchange':
        return this.#exchange.takeInput()
      case 'closing':
      case 'closed':
        return false
    }
  }

  #readHead(): boolean {
    const { head, input } = this
    const end = head.scan(input.bytes, input.end)
    if (end === REFUSED) this.#refuse(head.refusal)
    else if (end === INCOMPLETE) {
      if (this.#lastMs === Infinity) this.#lastMs = this.#ticker.after(this.limits.headTimeoutMs)
      this.deadlineMs = this.#lastMs
    } else {
      const headBytes = end - input.at
      input.use(end)
      this.#phase = 'exchange'
      this.#exchange.begin(headBytes)
      const { requestTimeoutMs } = this.limits
      this.#lastMs = requestTimeoutMs > 0 ? this.#ticker.after(requestTimeoutMs) : Infinity
      this.deadlineMs = this.#lastMs
      this.#request()
      return true
    }
    return false
  }

  /** The request edge: whatever the handler throws ends in an answer and one outcome. */
  #request(): void {
    try {
      this.#handler.onRequest(this.#exchange)
    } catch (thrown) {
      this.#exchange.failHandler(messageOf(thrown))
    }
  }

  #regulate(): void {
    const isPaused =
      this.#phase === 'exchange' ? this.#exchange.isBlocked : this.#phase === 'idle' && !this.input.isEmpty
    if (isPaused === this.#isPaused) return
    this.#isPaused = isPaused
    if (isPaused) this.socket.pause()
    else this.socket.resume()
  }

  setDeadline(spanMs: number): void {
    const span = this.isHalfClosed ? Math.min(spanMs, this.limits.halfCloseTimeoutMs) : spanMs
    this.deadlineMs = Math.min(this.#lastMs, this.#ticker.after(span))
  }

  outcome(outcome: ExchangeOutcome): void {
    this.#handler.onOutcome(this.#exchange, outcome)
  }

  failureAnswer(flag: ExchangeFlag, status: number): FailureAnswer {
    const asked = this.#handler.failureAnswer?.(flag, status)
    return asked ?? { headers: PLAIN_TEXT, body: `picket: ${flag.replaceAll('_', ' ')}\n` }
  }

  exchangeEnded(keepsConnection: boolean): void {
    if (this.#phase === 'closed') return
    this.#lastMs = Infinity
    this.#phase = 'idle'
    this.head.release()
    this.output.trim()
    if (!keepsConnection || this.isDraining) this.#startClosing()
    else this.deadlineMs = this.#ticker.after(this.limits.idleTimeoutMs)
    this.proceed()
  }

  cut(): void {
    this.#phase = 'closing'
    this.input.clear()
    this.socket.destroy()
  }

  #refuse(code: HttpRefusalCode): void {
    const refusal = refusalOf(code)
    this.output.begin()
    writeOwnResponse(this.output, refusal.status, PLAIN_TEXT, `picket: ${refusal.message}\n`, 'close', false)
    this.output.sendTo(this.socket)
    this.#startClosing()
    this.#handler.onRefused(refusal)
  }

  /**
   * Ends our side and reads on for a while: closing a socket with unread bytes resets it, and a reset may overtake the
   * answer (RFC 9112 §9.6).
   */
  #startClosing(): void {
    if (this.#phase === 'closing' || this.#phase === 'closed') return
    this.#phase = 'closing'
    this.input.clear()
    this.deadlineMs = this.#ticker.after(this.limits.bodyIdleTimeoutMs)
    this.socket.end()
    this.#regulate()
  }

  #finished(): void {
    if (this.#phase === 'closing') this.deadlineMs = this.#ticker.after(this.limits.lingerMs)
  }

  #drained(): void {
    if (this.#phase === 'exchange') this.#exchange.clientDrained()
    else this.proceed()
  }

  /**
   * The caller ended its side. Over TLS that means that it is gone; a plain caller may still be waiting for the answer (as
   * `nc` and BusyBox do), and gets some time for it. One that did not even finish its request is gone.
   */
  #ended(): void {
    this.isHalfClosed = true
    if (this.#phase === 'exchange') {
      if ('encrypted' in this.socket) return this.#exchange.clientGone('client_disconnected')
      this.setDeadline(this.limits.halfCloseTimeoutMs)
    }
    this.proceed()
  }

  expired(nowMs: number): void {
    switch (this.#phase) {
      case 'idle':
        return this.#startClosing()
      case 'head':
        return this.#refuse('head_timeout')
      case 'exchange':
        return this.#exchange.expired(nowMs)
      case 'closing':
      case 'closed':
        this.socket.destroy()
    }
  }

  #closed(): void {
    if (this.#phase === 'closed') return
    if (this.#phase === 'exchange') this.#exchange.clientGone('client_disconnected')
    this.#phase = 'closed'
    this.#ticker.remove(this)
    this.#handler.onClose?.()
  }
}

const PLAIN_TEXT = [['content-type', 'text/plain; charset=utf-8']] as const
