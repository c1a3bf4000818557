import { parseSpiffeId } from '@picket/identity'
import { encodeEndpoints, type Resource, type ServiceEndpoints } from '@picket/rpc'
import { createWatch, messageOf, parseHostPort, type Clock, type Logger, type Watch } from '@picket/runtime'
import { createResource } from '../resource.ts'

/**
 * Where services are reached: what connected sidecars advertise. A sidecar that is gone leaves the list after a short
 * grace, so that a reconnect is not felt; but the last address of a service stays until its SVID has expired. The control
 * plane sees whether it can hear a sidecar, not whether others can reach it, and an address that may be dead is no worse
 * than none. For the same reason the list is kept over a restart.
 */
export interface KnownEndpoint {
  readonly spiffeId: string
  readonly instanceId: string
  readonly service: string
  /** HOST:PORT. */
  readonly address: string
  /** End of the sidecar's SVID: it cannot be reached as itself after that. */
  readonly expiresAtMs: number
}

export interface EndpointStore {
  saveEndpoint(endpoint: KnownEndpoint): Promise<void>
  deleteEndpoint(endpoint: Pick<KnownEndpoint, 'spiffeId' | 'instanceId'>): Promise<void>
  loadEndpoints(): Promise<readonly KnownEndpoint[]>
}

export interface EndpointRegistry extends Disposable {
  /** Follows a moment later: a thousand sidecars that join in one are a few changes, not a thousand. */
  readonly resource: Watch<Resource>
  /** It is connected; said again when anything about it has changed. */
  connected(endpoint: KnownEndpoint): void
  /** Its stream has ended. */
  disconnected(endpoint: KnownEndpoint): void
  /** It has lost its identity: no grace. */
  withdrawn(endpoint: KnownEndpoint): void
}

const GRACE_MS = 10_000
/** Of one SPIFFE ID without a stream: whoever comes and goes under ever new names fills no list. The oldest leave. */
const MOST_SILENT = 1000
/** Changes of this time make one revision. */
const GATHER_MS = 25
/** Sidecars come back with a backoff, all of them. */
const RESTART_GRACE_MS = 60_000

interface Known {
  readonly endpoint: KnownEndpoint
  /** Undefined while connected. */
  readonly graceEndsMs: number | undefined
}

interface EndpointDeps {
  readonly store: EndpointStore
  readonly clock: Pick<Clock, 'now' | 'after'>
  readonly logger: Logger
}

export async function createEndpointRegistry({ store, clock, logger }: EndpointDeps): Promise<EndpointRegistry> {
  const restartGraceEndsMs = clock.now() + RESTART_GRACE_MS
  const known = new Map<string, Known>()
  const silent = createSilent()
  for (const endpoint of await store.loadEndpoints()) {
    known.set(keyOf(endpoint), { endpoint, graceEndsMs: restartGraceEndsMs })
    silent.add(endpoint)
  }
  const resource = createWatch(toResource(known, clock.now()))
  let timer: Disposable | undefined
  let gathering: Disposable | undefined

  /** The store is a memory for the next start; that it fails must not stop this one. */
  function remember(change: Promise<void>): void {
    change.catch((thrown: unknown) => logger.warn('endpoint not stored', { error: messageOf(thrown) }))
  }

  function forget(endpoint: KnownEndpoint): void {
    known.delete(keyOf(endpoint))
    silent.delete(endpoint)
    remember(store.deleteEndpoint(endpoint))
  }

  function update(): void {
    const nowMs = clock.now()
    gathering?.[Symbol.dispose]()
    gathering = undefined
    for (const [, { endpoint }] of leaving(known, nowMs)) forget(endpoint)
    const next = toResource(known, nowMs)
    if (next.revision !== resource.value.revision) resource.set(next)
    timer?.[Symbol.dispose]()
    const dueMs = nextChangeMs(known, nowMs)
    timer = dueMs === undefined ? undefined : clock.after(dueMs - nowMs, update)
  }
  update()
  const updateSoon = (): void => void (gathering ??= clock.after(GATHER_MS, update))

  return {
    resource,
    connected(endpoint) {
      known.set(keyOf(endpoint), { endpoint, graceEndsMs: undefined })
      silent.delete(endpoint)
      remember(store.saveEndpoint(endpoint))
      updateSoon()
    },
    disconnected(endpoint) {
      known.set(keyOf(endpoint), { endpoint, graceEndsMs: clock.now() + GRACE_MS })
      const tooMany = silent.add(endpoint)
      if (tooMany) forget(tooMany)
      updateSoon()
    },
    withdrawn(endpoint) {
      forget(endpoint)
      update()
    },
    [Symbol.dispose]() {
      gathering?.[Symbol.dispose]()
      timer?.[Symbol.dispose]()
    },
  }
}

/** The endpoints without a stream, by SPIFFE ID, the longest silent first. */
function createSilent() {
  const silent = new Map<string, Map<string, KnownEndpoint>>()
  function remove(endpoint: KnownEndpoint): void {
    const { spiffeId } = endpoint
    const instances = silent.get(spiffeId)
    instances?.delete(endpoint.instanceId)
    if (instances?.size === 0) silent.delete(spiffeId)
  }
  return {
    delete: remove,
    /** Gives the oldest when there are too many. */
    add(endpoint: KnownEndpoint): KnownEndpoint | undefined {
      remove(endpoint)
      const instances = silent.get(endpoint.spiffeId) ?? new Map<string, KnownEndpoint>()
      silent.set(endpoint.spiffeId, instances.set(endpoint.instanceId, endpoint))
      return instances.size > MOST_SILENT ? instances.values().next().value : undefined
    },
  }
}

function keyOf({ spiffeId, instanceId }: KnownEndpoint): string {
  return `${spiffeId} ${instanceId}`
}

function isLive({ graceEndsMs }: Known, nowMs: number): boolean {
  return graceEndsMs === undefined || graceEndsMs > nowMs
}

/** Gone for good: expired, or silent past its grace while others serve in its place. */
function leaving(known: ReadonlyMap<string, Known>, nowMs: number): [string, Known][] {
  const served = new Set(
    [...known.values()].filter((one) => isLive(one, nowMs)).map(({ endpoint }) => endpoint.service),
  )
  return [...known].filter(([, one]) => {
    if (one.graceEndsMs === undefined) return false
    return one.endpoint.expiresAtMs <= nowMs || (!isLive(one, nowMs) && served.has(one.endpoint.service))
  })
}

function nextChangeMs(known: ReadonlyMap<string, Known>, nowMs: number): number | undefined {
  const dues = [...known.values()].flatMap(({ graceEndsMs, endpoint }) =>
    graceEndsMs === undefined ? [] : [graceEndsMs, endpoint.expiresAtMs],
  )
  const coming = dues.filter((dueMs) => dueMs > nowMs)
  return coming.length === 0 ? undefined : Math.min(...coming)
}

/** Sorted, so that the same facts always have the same revision. */
function toResource(known: ReadonlyMap<string, Known>, nowMs: number): Resource {
  const byService = Map.groupBy([...known.values()], ({ endpoint }) => endpoint.service)
  const services = [...byService]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, members]): ServiceEndpoints => {
      const live = members.filter((member) => isLive(member, nowMs))
      const shown = (live.length > 0 ? live : members).map(({ endpoint }) => endpoint.address)
      const addresses = [...new Set(shown)].sort().map(parseHostPort)
      return { name, spiffeId: parseSpiffeId(members[0]!.endpoint.spiffeId), addresses }
    })
  return createResource('endpoints', encodeEndpoints({ services }))
}
