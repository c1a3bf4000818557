/**
 * What changes at run time: the newest good value plus a change signal. Readers see whole values only; whoever produces
 * values validates first, so that a bad update never replaces a good one.
 */
export interface Watch<T> {
  /** The newest good value. */
  readonly value: T
  /** Calls `listener` after each change, not for the present value. Disposing the result stops it. */
  subscribe(listener: (value: T) => void): Disposable
}

/** The producer's end of a `Watch`. */
export interface WatchSource<T> extends Watch<T> {
  set(value: T): void
}

export function createWatch<T>(initial: T): WatchSource<T> {
  let current = initial
  const listeners = new Set<(value: T) => void>()
  return {
    get value() {
      return current
    },
    set(value) {
      if (Object.is(value, current)) return
      current = value
      for (const listener of listeners) {
        if (!Object.is(value, current)) return // a listener has set a newer value, and everybody has heard that one
        listener(value)
      }
    },
    subscribe(listener) {
      const own = (value: T): void => listener(value)
      listeners.add(own)
      return { [Symbol.dispose]: () => void listeners.delete(own) }
    },
  }
}

/** Resolves with the first value, present or future, that satisfies `accept`; rejects with `signal.reason`. */
export function watchUntil<T, S extends T>(
  watch: Watch<T>,
  accept: (value: T) => value is S,
  signal: AbortSignal,
): Promise<S> {
  const present = watch.value
  if (accept(present)) return Promise.resolve(present)
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      subscription[Symbol.dispose]()
      signal.removeEventListener('abort', onAbort)
      act()
    }
    const onAbort = (): void => settle(() => reject(signal.reason as Error))
    const subscription = watch.subscribe((value) => {
      if (accept(value)) settle(() => resolve(value))
    })
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
  })
}
