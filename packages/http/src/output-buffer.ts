import type { Writable } from 'node:stream'
import { free } from './large-write.ts'
import { EMPTY } from './octets.ts'

/** A buffer that grew beyond this is given up when its exchange ends. */
const KEPT_BYTES = 16_384
const FIRST_BYTES = 2_048
/** Below this a byte loop beats the call into the runtime's copy. */
const SHORT_COPY = 32

/**
 * Where one message, or the next piece of one, is put together so that it leaves in one write. Reused for the next message
 * once the stream has let go of it; a stream that still holds it keeps it, and a new one is taken.
 */
export class OutputBuffer {
  bytes: Buffer = EMPTY
  length = 0
  #sentTo: Writable | undefined

  /** Starts the next message. */
  begin(): void {
    if (this.#sentTo !== undefined && this.#sentTo.writableLength !== 0) this.bytes = EMPTY
    this.#sentTo = undefined
    this.length = 0
  }

  append(source: Uint8Array, from = 0, to = source.length): void {
    const count = to - from
    this.#reserve(count)
    const { bytes, length } = this
    if (count < SHORT_COPY) for (let i = 0; i < count; i++) bytes[length + i] = source[from + i]!
    else bytes.set(count === source.length ? source : source.subarray(from, to), length)
    this.length = length + count
  }

  /** Latin-1 text: header values are bytes, not characters. */
  appendText(text: string): void {
    this.#reserve(text.length)
    this.length += this.bytes.write(text, this.length, 'latin1')
  }

  /** One write. Returns false when the stream wants no more for now. */
  sendTo(stream: Writable): boolean {
    const { bytes, length } = this
    this.#sentTo = stream
    const message = length === bytes.length ? bytes : bytes.subarray(0, length)
    if (bytes.length <= KEPT_BYTES) return stream.write(message)
    return stream.write(message, (error) => !error && this.bytes !== bytes && free(bytes))
  }

  /** Between exchanges: a connection that waits does not keep a large buffer. */
  trim(): void {
    if (this.bytes.length <= KEPT_BYTES) return
    const { bytes } = this
    this.bytes = EMPTY
    if (this.#sentTo?.writableLength === 0) free(bytes)
  }

  #reserve(count: number): void {
    const needed = this.length + count
    if (needed <= this.bytes.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, 2 ** Math.ceil(Math.log2(needed))))
    grown.set(this.bytes.subarray(0, this.length))
    this.bytes = grown
  }
}
