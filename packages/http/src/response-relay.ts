import { Body } from './body.ts'
import type { ForwardOptions } from './exchange.ts'
import type { ExchangeFlag } from './exchange-flag.ts'
import { INCOMPLETE, REFUSED } from './header-fields.ts'
import { InputBuffer } from './input-buffer.ts'
import { writeAndForget } from './large-write.ts'
import type { HttpLimits } from './limits.ts'
import { writeResponseHead } from './message-writer.ts'
import { CRLF } from './octets.ts'
import { ScannedResponseHead } from './response-head.ts'
import type { ServerExchange } from './server-exchange.ts'

const LAST_CHUNK = Buffer.from('0\r\n\r\n', 'latin1')

/** What a relay tells the forwarding that it is part of. */
export interface RelayOwner {
  relayFailed(flag: ExchangeFlag, detail: string): void
  /** The caller takes no more for now. */
  relayBlocked(): void
  /** The response is complete; `hasExtraBytes`: more followed it. */
  relayEnded(hasExtraBytes: boolean): void
}

/** The way back: reads the upstream's response as strictly as a request and hands its bytes to the caller. */
export class ResponseRelay {
  readonly head: ScannedResponseHead
  /** True once the final response head went to the caller: from then on a failure can only cut. */
  hasAnswered = false
  /** True once any byte of a response came. */
  hasBytes = false
  /** True while the caller does not take what we have for it. */
  isBlocked = false
  keepsClient = false
  readonly #owner: RelayOwner
  readonly #exchange: ServerExchange
  readonly #limits: HttpLimits
  readonly #body: Body
  /** A response head that came in pieces. */
  readonly #partial = new InputBuffer()
  #options: ForwardOptions | undefined
  #becomesChunked = false
  #interimResponses = 0

  constructor(owner: RelayOwner, exchange: ServerExchange, limits: HttpLimits) {
    this.#owner = owner
    this.#exchange = exchange
    this.#limits = limits
    this.head = new ScannedResponseHead(limits)
    this.#body = new Body(limits)
  }

  begin(options: ForwardOptions): void {
    this.#options = options
    this.hasAnswered = this.hasBytes = this.isBlocked = this.#becomesChunked = false
    this.#interimResponses = 0
    this.#partial.clear()
  }

  /** Takes `bytes[from, to)`; when `isShared`, they are copied before this returns. */
  receive(bytes: Buffer, from: number, to: number, isShared: boolean): void {
    this.hasBytes = true
    if (this.hasAnswered) {
      const end = this.#body.consume(bytes, from, to)
      this.#exchange.output.begin()
      return this.#relayPiece(bytes, from, end < to, isShared)
    }
    if (this.#partial.isEmpty) {
      this.head.begin(from)
      return this.#readHead(bytes, from, to, isShared)
    }
    if (this.#partial.append(bytes, from, to)) this.head.begin(this.#partial.at)
    this.#readHead(this.#partial.bytes, this.#partial.at, this.#partial.end, false)
  }

  #readHead(bytes: Buffer, from: number, to: number, isShared: boolean): void {
    let pos = from
    for (;;) {
      const end = this.head.scan(bytes, to)
      if (end === REFUSED) return this.#owner.relayFailed('upstream_protocol_error', this.head.refusal)
      if (end === INCOMPLETE) return this.#keepPartial(bytes, pos, to)
      pos = end
      if (!this.head.isInterim) break
      const wrong = this.#relayInterim()
      if (wrong !== undefined) return this.#owner.relayFailed('upstream_protocol_error', wrong)
      this.head.begin(pos)
    }
    this.#relayHead(bytes, pos, to, isShared)
  }

  #keepPartial(bytes: Buffer, pos: number, to: number): void {
    if (bytes === this.#partial.bytes) return this.#partial.use(pos)
    this.#partial.clear()
    if (pos === to) return
    this.#partial.append(bytes, pos, to)
    this.head.begin(0)
  }

  /** Relays a 1xx to callers that know them. Returns what is wrong with it, if anything is. */
  #relayInterim(): string | undefined {
    const { socket, output, head } = this.#exchange
    if (this.head.status === 101) return 'unasked 101'
    if (++this.#interimResponses > this.#limits.interimResponses) return 'too many interim responses'
    if (head.version === '1.0') return undefined
    output.begin()
    writeResponseHead(output, this.head, '', false, this.#options!.removeResponseHeaders)
    this.#exchange.sent(output.length)
    output.sendTo(socket)
    return undefined
  }

  #relayHead(bytes: Buffer, from: number, to: number, isShared: boolean): void {
    const exchange = this.#exchange
    const { version, isHead } = exchange.head
    const { removeResponseHeaders, addResponseHeaders } = this.#options!
    this.#beginBody(isHead)
    if (this.#body.kind === 'chunked' && version === '1.0')
      return this.#owner.relayFailed('upstream_protocol_error', 'chunked for 1.0')
    const endsWithConnection = this.#body.kind === 'close'
    this.#body.forbiddenTrailers = removeResponseHeaders
    const end = this.#body.consume(bytes, from, to)
    if (this.#body.refusal) return this.#owner.relayFailed('upstream_protocol_error', this.#body.refusal)
    this.#becomesChunked = endsWithConnection && version === '1.1'
    this.keepsClient = exchange.mayKeepConnection && (!endsWithConnection || this.#becomesChunked)
    this.hasAnswered = true
    this.#partial.clear()
    exchange.answered(this.head.status)
    const { output } = exchange
    const connection = exchange.connectionLine(this.keepsClient)
    output.begin()
    writeResponseHead(output, this.head, connection, this.#becomesChunked, removeResponseHeaders, addResponseHeaders)
    this.#relayPiece(bytes, from, end < to, isShared)
  }

  #beginBody(isToHead: boolean): void {
    const { chunked, contentLength } = this.head.framing
    if (this.head.isBodiless(isToHead)) this.#body.begin('none')
    else if (chunked) this.#body.begin('chunked')
    else if (contentLength >= 0) this.#body.begin('length', contentLength)
    else this.#body.begin('close')
  }

  /** Sends what `output` holds and the body bytes of this piece: together where copying is cheap or needed anyway. */
  #relayPiece(bytes: Buffer, from: number, hasExtraBytes: boolean, isShared: boolean): void {
    const { output, socket } = this.#exchange
    const body = this.#body
    if (body.refusal) return this.#owner.relayFailed('upstream_protocol_error', body.refusal)
    const size = body.passEnd - from
    const isChunk = this.#becomesChunked && size > 0
    let isTaken = true
    if (isChunk) output.appendText(`${size.toString(16)}\r\n`)
    if (isShared || output.length > 0 || size === 0) {
      output.append(bytes, from, body.passEnd)
      if (isChunk) output.append(CRLF)
      output.append(body.tail)
      this.#exchange.sent(output.length)
      if (output.length > 0) isTaken = output.sendTo(socket)
    } else {
      this.#exchange.sent(size + body.tail.length)
      isTaken = writeAndForget(socket, bytes, from, body.passEnd)
      if (body.tail.length > 0) isTaken = socket.write(body.tail)
    }
    if (body.isDone) return this.#owner.relayEnded(hasExtraBytes)
    this.#exchange.setDeadline(this.#limits.bodyIdleTimeoutMs)
    if (isTaken || this.isBlocked) return
    this.isBlocked = true
    this.#owner.relayBlocked()
  }

  /** The upstream ended in order. True when that was the end of the response, which is then complete. */
  endWithConnection(): boolean {
    if (!this.hasAnswered || this.#body.kind !== 'close') return false
    if (!this.#becomesChunked) return true
    const { output, socket } = this.#exchange
    output.begin()
    output.append(LAST_CHUNK)
    this.#exchange.sent(output.length)
    output.sendTo(socket)
    return true
  }
}
