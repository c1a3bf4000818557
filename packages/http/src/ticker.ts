import type { Clock } from '@picket/runtime'

/** How late a deadline may be noticed. Every timeout of this package is seconds long. */
export const TICK_MS = 200

/** Something with a deadline that moves often. Moving it is one assignment; no timer is made or cancelled. */
export interface Deadline {
  /** `clock.monotonicMs()` after which `expired` is called on every tick until it is moved; Infinity = none. */
  deadlineMs: number
  expired(nowMs: number): void
}

/**
 * One repeating timer per clock for all connections and pools, running only while there are any. A timer per request costs
 * more than reading its head; comparing a number per connection five times a second costs nothing.
 */
export class Ticker {
  readonly #clock: Clock
  readonly #deadlines = new Set<Deadline>()
  #nowMs: number
  #timer: Disposable | undefined

  constructor(clock: Clock) {
    this.#clock = clock
    this.#nowMs = clock.monotonicMs()
  }

  /** The instant `spanMs` from now without reading the clock: at most one tick late, never early. */
  after(spanMs: number): number {
    return this.#nowMs + spanMs + TICK_MS
  }

  add(deadline: Deadline): void {
    this.#deadlines.add(deadline)
    if (this.#timer) return
    this.#nowMs = this.#clock.monotonicMs()
    this.#timer = this.#clock.after(TICK_MS, this.#tick)
  }

  remove(deadline: Deadline): void {
    this.#deadlines.delete(deadline)
    if (this.#deadlines.size > 0) return
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
  }

  readonly #tick = (): void => {
    const nowMs = (this.#nowMs = this.#clock.monotonicMs())
    this.#timer = this.#clock.after(TICK_MS, this.#tick)
    for (const deadline of this.#deadlines) if (deadline.deadlineMs <= nowMs) deadline.expired(nowMs)
  }
}

const tickers = new WeakMap<Clock, Ticker>()

export function tickerOf(clock: Clock): Ticker {
  let ticker = tickers.get(clock)
  if (!ticker) tickers.set(clock, (ticker = new Ticker(clock)))
  return ticker
}
