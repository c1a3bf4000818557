/**
 * The loops of a daemon, joined: no promise is left detached. Disposal aborts every task and waits for all of them. The
 * first task that fails aborts the rest and its error comes out of `failed`.
 */
export interface Tasks extends AsyncDisposable {
  /** Aborted on disposal or when any task fails. */
  readonly signal: AbortSignal
  /** Rejects when a task fails, never resolves otherwise. */
  readonly failed: Promise<never>
  /** Starts `run`; it must end soon after its signal aborts. */
  start(name: string, run: (signal: AbortSignal) => Promise<void>): void
}

export function createTasks(parent?: AbortSignal): Tasks {
  const controller = new AbortController()
  const signal = parent ? AbortSignal.any([parent, controller.signal]) : controller.signal
  const running = new Set<Promise<void>>()
  const { promise: failed, reject } = Promise.withResolvers<never>()
  failed.catch(() => {}) // a daemon that never looks at `failed` still must not crash on it

  return {
    signal,
    failed,
    start(name, run) {
      const task = run(signal).catch((thrown: unknown) => {
        if (signal.aborted) return
        const failure = new Error(`task "${name}" failed`, { cause: thrown })
        reject(failure)
        controller.abort(failure)
      })
      running.add(task)
      void task.finally(() => running.delete(task))
    },
    async [Symbol.asyncDispose]() {
      controller.abort(new Error('shutting down'))
      await Promise.all(running)
    },
  }
}
