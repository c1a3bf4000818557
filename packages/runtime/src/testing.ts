import type { Clock } from './clock.ts'
import type { Logger, LogFields } from './logger.ts'
import type { Random } from './random.ts'

/** A clock that moves only when told to. `advance` fires timers and sleeps in order of their instants. */
export class FakeClock implements Clock {
  #nowMs: number
  #waiting: { atMs: number; fire: () => void }[] = []

  constructor(start: Date | string = '2026-01-01T00:00:00Z') {
    this.#nowMs = new Date(start).getTime()
  }

  now(): number {
    return this.#nowMs
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, fire: () => void): Disposable {
    const entry = { atMs: this.#nowMs + delayMs, fire }
    this.#waiting.push(entry)
    return { [Symbol.dispose]: () => void (this.#waiting = this.#waiting.filter((other) => other !== entry)) }
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error)
      const timer = this.after(delayMs, resolve)
      signal?.addEventListener('abort', () => (timer[Symbol.dispose](), reject(signal.reason as Error)), { once: true })
    })
  }

  /** Delays until each pending timer, shortest first: what the code under test is waiting for. */
  get pendingMs(): number[] {
    return this.#waiting.map(({ atMs }) => atMs - this.#nowMs).sort((a, b) => a - b)
  }

  /** Moves time on, firing what falls due, and lets promises settle after each. */
  async advance(spanMs: number): Promise<void> {
    const endMs = this.#nowMs + spanMs
    await settle()
    for (;;) {
      const next = this.#waiting.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (!next) break
      this.#waiting = this.#waiting.filter((entry) => entry !== next)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.fire()
      await settle()
    }
    this.#nowMs = endMs
    await settle()
  }
}

/** Lets promise reactions and immediates that are due run. */
export async function settle(rounds = 5): Promise<void> {
  for (let round = 0; round < rounds; round++) await new Promise((resolve) => setImmediate(resolve))
}

/** Deterministic randomness: `fraction` is constant, bytes count upwards. Never for real keys. */
export function createFakeRandom(fraction = 0.5): Random {
  let next = 0
  return {
    bytes: (count) => Buffer.from(Array.from({ length: count }, () => next++ % 256)),
    fraction: () => fraction,
    uuid: () => `00000000-0000-4000-8000-${String(next++).padStart(12, '0')}`,
  }
}

export interface LogEntry {
  readonly level: keyof Logger
  readonly message: string
  readonly fields: LogFields
}

/** A logger that remembers; `entries` is in order. */
export function createRecordingLogger(): Logger & { readonly entries: LogEntry[] } {
  const entries: LogEntry[] = []
  const at =
    (level: keyof Logger) =>
    (message: string, fields: LogFields = {}): void =>
      void entries.push({ level, message, fields })
  return { entries, error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') }
}
