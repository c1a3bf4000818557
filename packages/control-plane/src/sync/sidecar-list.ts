import { RESOURCE_KINDS, type ListSidecarsResponse, type PageRequest, type SidecarStatus } from '@picket/rpc'
import type { Clock } from '@picket/runtime'
import type { ConnectedSidecar, SyncConnection } from './sync-connection.ts'
import { toResourceStatus } from './sync-state.ts'

/** The sidecars by identity and instance, connected or lately so. */
export interface SidecarList {
  /** Of those connected: asked for far more often than it changes. */
  readonly views: readonly ConnectedSidecar[]
  connections(): Iterable<SyncConnection>
  hasRoomFor(spiffeId: string): boolean
  /** Resolves a second stream of the same instance: the newer one stands, the older is handed back. */
  enter(connection: SyncConnection): SyncConnection | undefined
  /** False: another stream of the same instance has taken its place. */
  leave(connection: SyncConnection): boolean
  /** In order of SPIFFE ID and instance; a page begins after the sidecar that its token names, be that there or not. */
  page(request: PageRequest): ListSidecarsResponse
}

const INSTANCES_PER_ID = 1000
/** How many that are gone are shown, and for how long. */
const GONE = { number: 1000, ms: 3_600_000 } as const
const PAGE = { usual: 500, largest: 1000 } as const
/** Of a page: sidecars choose how much they say of themselves, and an answer has a bound. */
const PAGE_CHARACTERS = 4_000_000

interface Sidecar {
  readonly connection: SyncConnection
  readonly connectedAtMs: number
}

interface GoneSidecar extends Sidecar {
  readonly goneAtMs: number
}

export function createSidecarList(clock: Pick<Clock, 'now'>): SidecarList {
  const present = new Map<string, Sidecar>()
  /** Maps keep the order of insertion: the first gone come first. */
  const gone = new Map<string, GoneSidecar>()
  const instances = new Map<string, number>()
  let views: readonly ConnectedSidecar[] | undefined

  function count({ identity }: SyncConnection, change: 1 | -1): void {
    const left = (instances.get(identity.id.uri) ?? 0) + change
    if (left > 0) instances.set(identity.id.uri, left)
    else instances.delete(identity.id.uri)
  }

  function forgetGone(): void {
    for (const [key, { goneAtMs }] of gone) {
      if (gone.size <= GONE.number && goneAtMs >= clock.now() - GONE.ms) return
      gone.delete(key)
    }
  }

  return {
    get views() {
      views ??= present
        .values()
        .map(({ connection }) => connection.view)
        .toArray()
      return views
    },
    connections: () => present.values().map(({ connection }) => connection),
    hasRoomFor: (spiffeId) => (instances.get(spiffeId) ?? 0) < INSTANCES_PER_ID,
    enter(connection) {
      const key = keyOf(connection)
      const replaced = present.get(key)?.connection
      if (!replaced) count(connection, 1)
      present.set(key, { connection, connectedAtMs: clock.now() })
      views = undefined
      gone.delete(key)
      return replaced
    },
    leave(connection) {
      const key = keyOf(connection)
      const sidecar = present.get(key)
      if (sidecar?.connection !== connection) return false
      present.delete(key)
      views = undefined
      count(connection, -1)
      gone.set(key, { ...sidecar, goneAtMs: clock.now() })
      forgetGone()
      return true
    },
    page({ pageSize, pageToken }) {
      forgetGone()
      const limit = Math.min(pageSize || PAGE.usual, PAGE.largest)
      const later = [...present, ...gone].filter(([key]) => key > pageToken).sort(([a], [b]) => (a < b ? -1 : 1))
      return toPage(later, limit)
    },
  }
}

function toPage(later: readonly (readonly [string, Sidecar | GoneSidecar])[], limit: number): ListSidecarsResponse {
  const sidecars: SidecarStatus[] = []
  let characters = 0
  for (const [, sidecar] of later.slice(0, limit)) {
    const status = toStatus(sidecar)
    characters += JSON.stringify(status).length
    if (sidecars.length > 0 && characters > PAGE_CHARACTERS) break
    sidecars.push(status)
  }
  return { sidecars, nextPageToken: later.length > sidecars.length ? later[sidecars.length - 1]![0] : '' }
}

function keyOf({ identity, hello }: SyncConnection): string {
  return `${identity.id.uri} ${hello.instanceId}`
}

function toStatus({ connection, connectedAtMs, ...rest }: Sidecar | GoneSidecar): SidecarStatus {
  const { identity, hello, standing, state, report } = connection
  const connected = !('goneAtMs' in rest)
  return {
    spiffeId: identity.id.uri,
    service: standing.entry.service,
    instanceId: hello.instanceId,
    advertise: hello.advertise,
    version: hello.version,
    connected,
    connectedAtMs,
    svidSerial: report?.svidSerial || identity.serialNumber,
    svidNotAfterMs: report?.svidNotAfterMs || identity.notAfter.getTime(),
    ready: connected && (report?.ready ?? false),
    notReadyReasons: report?.notReadyReasons ?? [],
    resources: RESOURCE_KINDS.flatMap((kind) => {
      const known = state.get(kind)
      return known ? [toResourceStatus(known)] : []
    }),
    requestsAllowed: report?.requestsAllowed ?? 0,
    requestsDenied: report?.requestsDenied ?? 0,
    svidRotations: report?.svidRotations ?? 0,
    keyExchangeGroup: report?.keyExchangeGroup ?? '',
    authorityKeyIds: report?.authorityKeyIds ?? [],
    svidKeyAlgorithm: report?.svidKeyAlgorithm ?? '',
  }
}
