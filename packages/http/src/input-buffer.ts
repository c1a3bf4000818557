import { EMPTY } from './octets.ts'

/**
 * Bytes that were received and not yet used. Nearly always that is (the rest of) one piece as the socket gave it; only what
 * comes in several pieces is copied together, into a buffer that grows by doubling and is never written to again below `end`,
 * so that a head may stay a view on it.
 */
export class InputBuffer {
  bytes: Buffer = EMPTY
  at = 0
  end = 0
  #isOwn = false

  get isEmpty(): boolean {
    return this.at === this.end
  }

  get size(): number {
    return this.end - this.at
  }

  /** Takes a piece over without copying, unless bytes are waiting. Returns true when waiting bytes moved to offset 0. */
  push(piece: Buffer): boolean {
    if (this.at < this.end) return this.append(piece, 0, piece.length)
    this.bytes = piece
    this.at = 0
    this.end = piece.length
    this.#isOwn = false
    return false
  }

  /** Copies a piece behind what is waiting, for sources that reuse their memory. Returns as `push`. */
  append(piece: Buffer, from: number, to: number): boolean {
    const waiting = this.end - this.at
    const count = to - from
    let moved = false
    if (!this.#isOwn || this.end + count > this.bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(1024, 2 * waiting, waiting + count))
      grown.set(this.bytes.subarray(this.at, this.end))
      moved = waiting > 0 && this.at > 0
      this.bytes = grown
      this.at = 0
      this.end = waiting
      this.#isOwn = true
    }
    this.bytes.set(piece.subarray(from, to), this.end)
    this.end += count
    return moved
  }

  /** Everything before `at` has been used. */
  use(at: number): void {
    this.at = at
    if (at === this.end) this.clear()
  }

  clear(): void {
    this.bytes = EMPTY
    this.at = this.end = 0
    this.#isOwn = false
  }
}
