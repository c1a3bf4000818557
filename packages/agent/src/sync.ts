import type { ControlPlaneClient, Hello, Report, Resource, ResourceKindName, SyncClientStream } from '@picket/rpc'
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

export interface SyncDeps {
  readonly client: Pick<ControlPlaneClient, 'sync'>
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly metrics: Metrics
  /** SVID and trust bundles: a change ends the stream, and the next is opened with it at once. */
  readonly credentials: readonly Watch<unknown>[]
  readonly hello: () => Hello
  readonly report: () => Report
  /** Changes that are worth a report now. */
  readonly reportOn: readonly Watch<unknown>[]
  /** Takes a resource over as a whole or throws. */
  readonly accept: (resource: Resource) => Promise<void>
  readonly rotateNow: () => void
  /** The control plane does not take this SVID. */
  readonly denied: () => Promise<void>
}

const RECONNECT = { firstMs: 500, maxMs: 30_000 } as const
/** A stream that held this long was a good one: the next failure starts the backoff anew. */
const STABLE_MS = 10_000
const REPORT_EVERY_MS = 30_000

/**
 * Keeps one stream to the control plane for as long as `signal` lasts. Nothing is lost between two streams: each begins
 * with the revisions held, and the control plane sends what differs.
 */
export async function runSync(deps: SyncDeps, signal: AbortSignal): Promise<void> {
  const { clock, random, logger } = deps
  for (let failures = 0; !signal.aborted;) {
    using renewal = watchRenewal(deps.credentials, signal)
    const startedMs = clock.monotonicMs()
    const error = await runStream(deps, renewal.signal)
    if (signal.aborted) return
    if (renewal.signal.aborted) {
      failures = 0
      continue
    }
    failures = clock.monotonicMs() - startedMs >= STABLE_MS ? 1 : failures + 1
    const delayMs = backoffMs(failures, RECONNECT, random)
    logger.warn('sync stream ended', { code: codeOf(error), error: error && messageOf(error), retryInMs: delayMs })
    if (codeOf(error) === 'ERR_RPC_DENIED') await deps.denied()
    await sleepUnlessAborted(clock, delayMs, renewal.signal)
  }
}

/** Aborted as soon as what the stream was opened with is no longer the newest. */
function watchRenewal(
  credentials: readonly Watch<unknown>[],
  parent: AbortSignal,
): Disposable & { signal: AbortSignal } {
  const renewed = new AbortController()
  const subscriptions = credentials.map((watch) => watch.subscribe(() => renewed.abort()))
  return {
    signal: AbortSignal.any([parent, renewed.signal]),
    [Symbol.dispose]: () => {
      for (const subscription of subscriptions) subscription[Symbol.dispose]()
    },
  }
}

/** One stream from hello to end. Resolves with the error that ended it, if it was one. */
async function runStream(deps: SyncDeps, signal: AbortSignal): Promise<Error | undefined> {
  const connected = deps.metrics.gauge('picket_sync_connected', '1 while the stream to the control plane is open')
  const stream = deps.client.sync(signal)
  const inbox = createInbox(deps, stream)
  stream.onOpen(() => {
    connected.set(1)
    deps.logger.info('sync stream open')
  })
  stream.onResource((resource) => inbox.put(resource))
  stream.onRotate(() => deps.rotateNow())
  stream.send(deps.hello())
  const reporting = report(deps, stream)
  try {
    return await stream.closed
  } finally {
    reporting[Symbol.dispose]()
    connected.set(0)
    await inbox.close()
  }
}

/**
 * Resources are taken over one at a time. While one is being worked on, a newer revision of another takes the place of the
 * older one that nobody has looked at yet, so that there are never more waiting than there are kinds.
 */
function createInbox(
  deps: SyncDeps,
  stream: SyncClientStream,
): { put(resource: Resource): void; close(): Promise<void> } {
  const waiting = new Map<ResourceKindName, Resource>()
  let working = Promise.resolve()
  let busy = false

  async function work(): Promise<void> {
    busy = true
    for (let next = take(); next; next = take()) await takeOver(deps, stream, next)
    busy = false
  }

  function take(): Resource | undefined {
    for (const [kind, resource] of waiting) {
      waiting.delete(kind)
      return resource
    }
    return undefined
  }

  return {
    put(resource) {
      waiting.set(resource.kind, resource)
      if (!busy) working = work()
    },
    close() {
      waiting.clear()
      return working
    },
  }
}

/** Accepted or refused, the control plane is told; a refused resource leaves the one before in place. */
async function takeOver(deps: SyncDeps, stream: SyncClientStream, resource: Resource): Promise<void> {
  const { kind, revision } = resource
  try {
    await deps.accept(resource)
  } catch (thrown) {
    const code = codeOf(thrown) ?? 'ERR_INTERNAL'
    const message = messageOf(thrown).slice(0, MESSAGE_CHARACTERS)
    deps.metrics.counter('picket_sync_refused_total', 'Pushed resources that were refused', { kind }).add()
    deps.logger.warn('pushed resource refused, the one before stays', { kind, revision, code, error: message })
    stream.send({ kind: 'nack', resource: kind, revision, code, message })
    return
  }
  deps.logger.info('pushed resource accepted', { kind, revision, bytes: resource.bytes.length })
  stream.send({ kind: 'ack', resource: kind, revision })
}

const MESSAGE_CHARACTERS = 2000

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
