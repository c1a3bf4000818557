import { messageOf, watchUntil, type Clock, type Logger } from '@picket/runtime'
import { isGuarding, type Readiness } from './readiness.ts'

/** What there is to stop, and what may make it stop. */
export interface Running {
  /** Everything that was started; disposal is the order of the stop. */
  readonly stack: AsyncDisposableStack
  readonly readiness: Readiness
  /** Each rejects when a part fails for good. */
  readonly failures: readonly Promise<never>[]
  /** Aborted when the drain has lasted long enough. */
  readonly deadline: AbortController
  readonly drainTimeoutMs: number
}

export interface Lifecycle {
  readonly ready: Promise<void>
  readonly closed: Promise<void>
  /** The first call stops, every call waits for the end. */
  stop(): Promise<void>
}

/** From here on there is one way down, whoever takes it first: the signal, the caller, or a part that fails. */
export function beginLifecycle(
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  { stack, readiness, failures, deadline, drainTimeoutMs }: Running,
  signal: AbortSignal,
): Lifecycle {
  const { promise: closed, resolve, reject } = Promise.withResolvers<void>()
  closed.catch(() => {}) // who only stops a sidecar need not look at it
  const stopping = new AbortController()
  const ready = watchUntil(readiness, isGuarding, stopping.signal).then(() => {})
  ready.catch(() => {})
  let stopped: Promise<void> | undefined

  async function drain(): Promise<void> {
    logger.info('sidecar drains', { deadlineMs: drainTimeoutMs })
    signal.removeEventListener('abort', onAbort)
    readiness.drain()
    stopping.abort(new Error('the sidecar is stopping'))
    using _deadline = clock.after(drainTimeoutMs, () => deadline.abort())
    await stack.disposeAsync()
    logger.info('sidecar has stopped')
  }

  function end(finish: () => void): Promise<void> {
    stopped ??= drain()
    stopped.then(finish, reject)
    return stopped
  }

  const onAbort = (): void => void end(resolve).catch(() => {})
  signal.addEventListener('abort', onAbort, { once: true })
  for (const failure of failures) {
    failure.catch((thrown: unknown) => {
      logger.error('part of the sidecar failed', { error: messageOf(thrown) })
      end(() => reject(thrown)).catch(() => {})
    })
  }
  return { ready, closed, stop: () => end(resolve) }
}
