/** Time as a parameter: wall clock, monotonic clock, timers. `Date.now` and `setTimeout` live only here. */
export interface Clock {
  /** Wall clock, milliseconds since the epoch. */
  now(): number
  /** Monotonic clock with sub-millisecond resolution, in milliseconds from an arbitrary origin. */
  monotonicMs(): number
  /** Calls `fire` once after `delayMs`; disposing the timer cancels it. Timers do not keep the process alive. */
  after(delayMs: number, fire: () => void): Disposable
  /** Resolves after `delayMs`, or rejects with `signal.reason` when aborted first. Keeps the process alive. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>
}

/** Longest delay that the platform's timers take; longer waits are cut into pieces of this length. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, fire) => startTimer(delayMs, fire, (timer) => timer.unref()),
  sleep(delayMs, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error)
      const onAbort = (): void => {
        timer[Symbol.dispose]()
        reject(signal?.reason as Error)
      }
      const timer = startTimer(delayMs, () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      })
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  },
}

function startTimer(delayMs: number, fire: () => void, armed?: (timer: NodeJS.Timeout) => void): Disposable {
  let timer: NodeJS.Timeout
  const arm = (restMs: number): void => {
    const pieceMs = Math.min(restMs, LONGEST_TIMER_MS)
    timer = setTimeout(() => (restMs > pieceMs ? arm(restMs - pieceMs) : fire()), pieceMs)
    armed?.(timer)
  }
  arm(delayMs)
  return { [Symbol.dispose]: () => clearTimeout(timer) }
}

/** `sleep` for loops: false when the wait was aborted instead of throwing. */
export async function sleepUnlessAborted(clock: Clock, delayMs: number, signal: AbortSignal): Promise<boolean> {
  try {
    await clock.sleep(delayMs, signal)
    return true
  } catch (thrown) {
    if (signal.aborted) return false
    throw thrown
  }
}
