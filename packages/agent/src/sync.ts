import type { ControlPlaneClient, Hello, Report, SyncClientStream, SyncOptions } from '@picket/rpc'
import {
  backoffMs,
  codeOf,
  messageOf,
  sleepUnlessAborted,
  type Clock,
  type Logger,
  type Metrics,
  type Random,
  type Watch,
} from '@picket/runtime'
import { createInbox, type Inbox, type InboxDeps } from './sync-inbox.ts'

export interface SyncDeps extends InboxDeps {
  readonly client: Pick<ControlPlaneClient, 'sync'>
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly metrics: Metrics
  /** The SVID: after a change the next stream is opened with it at once, and the one before ends when that stands. */
  readonly credentials: readonly Watch<unknown>[]
  readonly hello: () => Hello
  /** The bytes of a revision that is held. */
  readonly baseOf?: SyncOptions['baseOf']
  readonly report: () => Report
  /** Changes that are worth a report now. */
  readonly reportOn: readonly Watch<unknown>[]
  readonly rotateNow: () => void
  /** The control plane does not take this SVID. */
  readonly denied: () => Promise<void>
}

const RECONNECT = { firstMs: 500, maxMs: 10_000 } as const
/** A stream that held this long was a good one: the next failure starts the backoff anew. */
const STABLE_MS = 10_000
const REPORT_EVERY_MS = 30_000

/**
 * Keeps one stream to the control plane for as long as `signal` lasts. Nothing is lost between two streams: each begins
 * with the revisions held, and the control plane sends what differs.
 */
export async function runSync(deps: SyncDeps, signal: AbortSignal): Promise<void> {
  const { clock } = deps
  const inbox = createInbox(deps)
  using renewals = watchRenewals(deps.credentials)
  let failures = 0
  let renewed = renewals.next()
  for (let stream = openStream(deps, inbox, signal); ;) {
    const startedMs = clock.monotonicMs()
    await Promise.race([stream.closed, aborted(AbortSignal.any([renewed, signal]))])
    if (signal.aborted) return await stream.end()
    if (stream.isOver) {
      failures = clock.monotonicMs() - startedMs >= STABLE_MS ? 1 : failures + 1
      await waitOut(deps, await stream.closed, failures, AbortSignal.any([renewed, signal]))
      await inbox.idle()
      if (signal.aborted) return
      if (renewed.aborted) failures = 0
      renewed = renewals.next()
      stream = openStream(deps, inbox, signal)
    } else {
      renewed = renewals.next()
      stream = await moveStream(stream, openStream(deps, inbox, signal))
      failures = 0
    }
  }
}

async function waitOut(deps: SyncDeps, error: Error | undefined, failures: number, until: AbortSignal): Promise<void> {
  const delayMs = backoffMs(failures, RECONNECT, deps.random)
  deps.logger.warn('sync stream ended', { code: codeOf(error), error: error && messageOf(error), retryInMs: delayMs })
  if (codeOf(error) === 'ERR_RPC_DENIED') await deps.denied()
  await sleepUnlessAborted(deps.clock, delayMs, until)
}

/** First the new one, then the end of the old one: the control plane never sees this sidecar gone. */
async function moveStream(before: OpenStream, next: OpenStream): Promise<OpenStream> {
  await Promise.race([next.opened, next.closed])
  await before.end()
  return next
}

/** `next()` gives a signal that aborts when what the streams are opened with has changed since the call before. */
function watchRenewals(credentials: readonly Watch<unknown>[]): Disposable & { next(): AbortSignal } {
  let renewal = new AbortController()
  const subscriptions = credentials.map((watch) => watch.subscribe(() => renewal.abort()))
  return {
    next() {
      if (renewal.signal.aborted) renewal = new AbortController()
      return renewal.signal
    },
    [Symbol.dispose]: () => {
      for (const subscription of subscriptions) subscription[Symbol.dispose]()
    },
  }
}

interface OpenStream {
  readonly opened: Promise<void>
  /** Resolves with the error that ended it, if it was one. */
  readonly closed: Promise<Error | undefined>
  readonly isOver: boolean
  end(): Promise<void>
}

/** One stream from hello to end. */
function openStream(deps: SyncDeps, inbox: Inbox, signal: AbortSignal): OpenStream {
  const connected = deps.metrics.gauge('picket_sync_connected', '1 while the stream to the control plane is open')
  const { promise: opened, resolve: resolveOpened } = Promise.withResolvers<void>()
  const leave = new AbortController()
  const baseOf = deps.baseOf
  const stream = deps.client.sync(AbortSignal.any([signal, leave.signal]), baseOf && { baseOf })
  let isOver = false
  stream.onOpen(() => {
    connected.set(1)
    deps.logger.info('sync stream open')
    resolveOpened()
  })
  stream.onResource((resource) => inbox.put(resource, stream))
  stream.onRotate(() => deps.rotateNow())
  stream.send({ ...deps.hello(), ...(baseOf && { takesDeltas: true }) })
  const reporting = report(deps, stream)
  const closed = stream.closed.then((error) => {
    isOver = true
    reporting[Symbol.dispose]()
    inbox.forget(stream)
    if (!leave.signal.aborted) connected.set(0)
    return error
  })
  return {
    opened,
    closed,
    get isOver() {
      return isOver
    },
    async end() {
      leave.abort()
      await closed
    },
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

/** Reports at once, after each change and every 30 seconds. Changes of one turn make one report. */
function report({ clock, report: toReport, reportOn }: SyncDeps, stream: SyncClientStream): Disposable {
  let timer = clock.after(0, send)
  function send(): void {
    stream.send(toReport())
    timer = clock.after(REPORT_EVERY_MS, send)
  }
  const subscriptions = reportOn.map((watch) =>
    watch.subscribe(() => {
      timer[Symbol.dispose]()
      timer = clock.after(0, send)
    }),
  )
  return {
    [Symbol.dispose]: () => {
      timer[Symbol.dispose]()
      for (const subscription of subscriptions) subscription[Symbol.dispose]()
    },
  }
}
