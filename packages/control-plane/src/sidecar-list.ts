import { RESOURCE_KINDS, type SidecarStatus } from '@picket/rpc'
import type { Clock } from '@picket/runtime'
import type { SyncConnection } from './sync-connection.ts'
import { toResourceStatus } from './sync-state.ts'

/** The sidecars by identity and instance, connected or lately so. */
export interface SidecarList {
  connections(): readonly SyncConnection[]
  hasRoomFor(spiffeId: string): boolean
  /** Resolves a second stream of the same instance: the newer one stands, the older is handed back. */
  enter(connection: SyncConnection): SyncConnection | undefined
  /** False: another stream of the same instance has taken its place. */
  leave(connection: SyncConnection): boolean
  list(): readonly SidecarStatus[]
}

const INSTANCES_PER_ID = 1000
/** How many that are gone are shown, and for how long. */
const GONE = { number: 1000, ms: 3_600_000 } as const

interface Sidecar {
  readonly connection: SyncConnection
  readonly connectedAtMs: number
  readonly goneAtMs: number | undefined
}

export function createSidecarList(clock: Pick<Clock, 'now'>): SidecarList {
  const sidecars = new Map<string, Sidecar>()
  const connected = (): SyncConnection[] =>
    [...sidecars.values()].filter(({ goneAtMs }) => goneAtMs === undefined).map(({ connection }) => connection)

  /** Maps keep the order of insertion, and those that leave are inserted again: the first gone come first. */
  function forgetGone(): void {
    const gone = [...sidecars].filter(([, { goneAtMs }]) => goneAtMs !== undefined)
    const old = gone.filter(([, { goneAtMs }], index) => {
      return gone.length - index > GONE.number || goneAtMs! < clock.now() - GONE.ms
    })
    for (const [key] of old) sidecars.delete(key)
  }

  return {
    connections: connected,
    hasRoomFor: (spiffeId) =>
      connected().filter(({ identity }) => identity.id.uri === spiffeId).length < INSTANCES_PER_ID,
    enter(connection) {
      const present = sidecars.get(keyOf(connection))
      sidecars.set(keyOf(connection), { connection, connectedAtMs: clock.now(), goneAtMs: undefined })
      return present?.goneAtMs === undefined ? present?.connection : undefined
    },
    leave(connection) {
      const key = keyOf(connection)
      const present = sidecars.get(key)
      if (present?.connection !== connection) return false
      sidecars.delete(key)
      sidecars.set(key, { ...present, goneAtMs: clock.now() })
      forgetGone()
      return true
    },
    list() {
      forgetGone()
      const byName = (a: SidecarStatus, b: SidecarStatus): number =>
        a.spiffeId.localeCompare(b.spiffeId) || a.instanceId.localeCompare(b.instanceId)
      return [...sidecars.values()].map(toStatus).sort(byName)
    },
  }
}

function keyOf({ identity, hello }: SyncConnection): string {
  return `${identity.id.uri} ${hello.instanceId}`
}

function toStatus({ connection, connectedAtMs, goneAtMs }: Sidecar): SidecarStatus {
  const { identity, hello, entry, state, report } = connection
  return {
    spiffeId: identity.id.uri,
    service: entry.service,
    instanceId: hello.instanceId,
    advertise: hello.advertise,
    version: hello.version,
    connected: goneAtMs === undefined,
    connectedAtMs,
    svidSerial: report?.svidSerial || identity.serialNumber,
    svidNotAfterMs: report?.svidNotAfterMs || identity.notAfter.getTime(),
    ready: goneAtMs === undefined && (report?.ready ?? false),
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
