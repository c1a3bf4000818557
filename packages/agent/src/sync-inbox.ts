import type { Resource, ResourceKindName, SyncClientStream } from '@picket/rpc'
import { codeOf, messageOf, type Logger, type Metrics } from '@picket/runtime'

export interface InboxDeps {
  readonly logger: Logger
  readonly metrics: Metrics
  /** Takes a resource over as a whole or throws. */
  readonly accept: (resource: Resource) => Promise<void>
}

export interface Inbox {
  put(resource: Resource, stream: SyncClientStream): void
  /** Forgets what of this stream nobody has looked at yet. */
  forget(stream: SyncClientStream): void
  /** Resolves when the one that is being worked on is done with. */
  idle(): Promise<void>
}

/**
 * Resources are taken over one at a time, also while the stream moves. A newer revision takes the place of the one before
 * that nobody has looked at yet, so that there are never more waiting than there are kinds. The deny-list waits for
 * nothing: a policy that takes a second to start must not give a revoked caller that second.
 */
export function createInbox(deps: InboxDeps): Inbox {
  const waiting = new Map<ResourceKindName, { readonly resource: Resource; readonly stream: SyncClientStream }>()
  const urgent = new Set<Promise<void>>()
  let working = Promise.resolve()
  let busy = false

  async function work(): Promise<void> {
    busy = true
    for (let next = take(); next; next = take()) await takeOver(deps, next.stream, next.resource)
    busy = false
  }

  function take(): { readonly resource: Resource; readonly stream: SyncClientStream } | undefined {
    for (const [kind, next] of waiting) {
      waiting.delete(kind)
      return next
    }
    return undefined
  }

  return {
    put(resource, stream) {
      if (resource.kind === 'revocations') {
        const taking: Promise<void> = takeOver(deps, stream, resource).finally(() => urgent.delete(taking))
        urgent.add(taking)
        return
      }
      waiting.set(resource.kind, { resource, stream })
      if (!busy) working = work()
    },
    forget(stream) {
      for (const [kind, next] of waiting) if (next.stream === stream) waiting.delete(kind)
    },
    async idle() {
      await Promise.all([working, ...urgent])
    },
  }
}

const MESSAGE_CHARACTERS = 2000

/** Accepted or refused, the control plane is told; a refused resource leaves the one before in place. */
async function takeOver(deps: InboxDeps, stream: SyncClientStream, resource: Resource): Promise<void> {
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
