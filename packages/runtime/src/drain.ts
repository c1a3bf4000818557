/**
 * Graceful stop in one place. Work in flight holds a ticket; `drain` stops nothing itself: it waits until every ticket
 * is returned or the deadline passes, and says how many were left.
 */
export interface Drain {
  /** True from the first call of `drain`. */
  readonly draining: boolean
  /** Counts one piece of work; dispose the ticket when it is over. */
  enter(): Disposable
  /** Resolves with the number of tickets still out: 0, or more when `deadline` aborted first. */
  drain(deadline: AbortSignal): Promise<number>
}

export function createDrain(): Drain {
  let inFlight = 0
  let draining = false
  const waiting = new Set<() => void>()

  function leave(): void {
    inFlight -= 1
    if (inFlight === 0) for (const wake of waiting) wake()
  }

  return {
    get draining() {
      return draining
    },
    enter() {
      inFlight += 1
      let left = false
      return {
        [Symbol.dispose]: () => {
          if (left) return
          left = true
          leave()
        },
      }
    },
    async drain(deadline) {
      draining = true
      if (inFlight === 0 || deadline.aborted) return inFlight
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          waiting.delete(wake)
          deadline.removeEventListener('abort', wake)
          resolve()
        }
        waiting.add(wake)
        deadline.addEventListener('abort', wake, { once: true })
      })
      return inFlight
    },
  }
}
