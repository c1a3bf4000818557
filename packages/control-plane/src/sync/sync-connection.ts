import type { SpiffeId } from '@picket/identity'
import {
  DELTA_REFUSED,
  RpcError,
  type Ack,
  type Hello,
  type Nack,
  type Report,
  type Resource,
  type ResourceKindName,
  type SyncRequestMessage,
  type SyncServerStream,
} from '@picket/rpc'
import type { Standing, SyncResources } from './sync-resources.ts'
import { createSyncSender } from './sync-sender.ts'
import { nextResource, nextSyncState, type SyncState } from './sync-state.ts'

/** Whose stream it is. */
export interface SyncIdentity {
  readonly id: SpiffeId
  readonly serialNumber: string
  readonly notAfter: Date
}

/** A sidecar with an open stream, as others in the control plane need to know it. */
export interface ConnectedSidecar {
  readonly spiffeId: string
  readonly instanceId: string
  readonly service: string
  /** The newest revision of a kind that it has accepted; '' = none. */
  ackedRevision(kind: ResourceKindName): string
  /** Of the authorities that signed the SVIDs it holds; empty until it has reported. */
  readonly authorityKeyIds: readonly string[]
  readonly svidSerial: string
}

/** How a stream began. */
export interface Opening {
  readonly identity: SyncIdentity
  readonly hello: Hello
  readonly standing: Standing
}

/**
 * One sidecar's stream: what it has said, what it was sent. At most one resource is on its way at a time and always the
 * newest of its kind follows, so that nothing queues up for a slow sidecar. There is no log of changes that a sidecar could
 * fall behind in: each kind has its newest revision, which either builds on the revision that the sidecar has acknowledged
 * or comes whole, and its SHA-256 says whether both ends mean the same.
 */
export interface SyncConnection {
  readonly identity: SyncIdentity
  readonly hello: Hello
  readonly standing: Standing
  readonly state: SyncState
  readonly report: Report | undefined
  /** Shows what holds at the time of the look. */
  readonly view: ConnectedSidecar
  /** Something that the sidecar should have may be newer: sends what it lacks, as far as the transport takes it. */
  wake(): void
  rotate(): void
  /** What its evidence entitles it to now. */
  confirm(standing: Standing): void
  receive(message: SyncRequestMessage): void
  end(error?: Error): void
}

export function createSyncConnection(
  stream: SyncServerStream,
  opening: Opening,
  resources: Pick<SyncResources, 'follow' | 'chunksOf' | 'recall'>,
): SyncConnection {
  let { standing } = opening
  let followed = resources.follow(standing)
  let state = nextSyncState(new Map(), opening.hello)
  let report: Report | undefined

  const bases = createBases(opening.hello, resources)

  const sender = createSyncSender(stream, () => {
    const resource = nextResource(state, followed.wanted(), (kind) => PATIENT.has(kind) && bases.isUnderway(kind))
    if (!resource) return undefined
    state = nextSyncState(state, { kind: 'sent', resource })
    return resources.chunksOf(resource, bases.send(resource))
  })

  const view: ConnectedSidecar = {
    spiffeId: opening.identity.id.uri,
    instanceId: opening.hello.instanceId,
    get service() {
      return standing.entry.service
    },
    ackedRevision: (kind) => state.get(kind)?.acked ?? '',
    get authorityKeyIds() {
      return report?.authorityKeyIds ?? []
    },
    get svidSerial() {
      return report?.svidSerial || opening.identity.serialNumber
    },
  }
  return {
    view,
    identity: opening.identity,
    hello: opening.hello,
    get standing() {
      return standing
    },
    get state() {
      return state
    },
    get report() {
      return report
    },
    wake: () => sender.wake(),
    rotate: () => sender.rotate(),
    confirm(confirmed) {
      standing = confirmed
      followed = resources.follow(confirmed)
      sender.wake()
    },
    receive(message) {
      if (message.kind === 'hello') throw new RpcError('ERR_RPC_INVALID', 'a second Hello on one stream')
      if (message.kind === 'report') return void (report = message)
      state = nextSyncState(state, message)
      bases.hear(message)
      sender.wake()
    },
    end: (error) => stream.end(error),
  }
}

/**
 * Kinds that change often in a large mesh: the next revision waits until the sidecar has taken the one before over, so that
 * it can be a delta to that one. A deny-list waits for nobody.
 */
const PATIENT: ReadonlySet<ResourceKindName> = new Set(['identities', 'federated-bundles', 'endpoints'])

interface Bases {
  /** Sent, and neither acknowledged nor refused yet. */
  isUnderway(kind: ResourceKindName): boolean
  /** Notes that it goes out; what a delta to it may build on, if it may be one. */
  send(resource: Resource): Resource | undefined
  hear(message: Ack | Nack): void
}

/** What the sidecar holds for sure. Only the newest revision of a kind: older ones live on with nobody. */
function createBases({ held, takesDeltas = false }: Hello, { recall }: Pick<SyncResources, 'recall'>): Bases {
  const acknowledged = new Map<ResourceKindName, Resource>()
  const underway = new Map<ResourceKindName, Resource>()
  for (const { kind, revision } of takesDeltas ? held : []) {
    const known = recall(kind, revision)
    if (known) acknowledged.set(kind, known)
  }
  return {
    isUnderway: (kind) => underway.has(kind),
    send(resource) {
      const isCertain = takesDeltas && !underway.has(resource.kind)
      underway.set(resource.kind, resource)
      return isCertain ? acknowledged.get(resource.kind) : undefined
    },
    hear(message) {
      const sent = underway.get(message.resource)
      if (sent?.revision !== message.revision) return
      underway.delete(message.resource)
      if (message.kind === 'ack') acknowledged.set(message.resource, sent)
      else if (message.code === DELTA_REFUSED.code) acknowledged.delete(message.resource)
    },
  }
}
