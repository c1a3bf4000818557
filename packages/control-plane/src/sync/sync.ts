import {
  RpcError,
  type Caller,
  type Hello,
  type ListSidecarsResponse,
  type PageRequest,
  type SyncRequestMessage,
  type SyncServerStream,
} from '@picket/rpc'
import { type Clock, type Logger, type Watch } from '@picket/runtime'
import { identityOf } from '../registration/certificates.ts'
import type { EndpointRegistry, KnownEndpoint } from './endpoints.ts'
import type { EnrollmentDenial, EnrollmentService } from '../registration/enrollment.ts'
import { createSidecarList } from './sidecar-list.ts'
import {
  createSyncConnection,
  type ConnectedSidecar,
  type Opening,
  type SyncConnection,
  type SyncIdentity,
} from './sync-connection.ts'
import { openStream } from './sync-opening.ts'
import { createRotationOrders } from './sync-orders.ts'
import { createRecheck } from './sync-recheck.ts'
import { createTicker } from './sync-ticker.ts'
import type { SyncResources } from './sync-resources.ts'

/** Every sidecar's stream, and what goes out on them. */
export interface SyncHub extends Disposable {
  /** Takes over a new stream. */
  accept(stream: SyncServerStream, caller: Caller): void
  /** Tells the sidecars of one SPIFFE ID, or all for '', to renew; who was told. */
  rotate(spiffeId: string): readonly string[]
  /** Tells these to renew now; an order stands until it is followed, over reconnects too. How many were told. */
  rotateWhere(picks: (sidecar: ConnectedSidecar) => boolean): number
  /**
   * Entries have changed: each stream whose attested facts may be touched goes on with what the entries say now, or ends
   * when they say nothing any more.
   */
  recheck(isTouched?: (facts: readonly string[]) => boolean): Promise<void>
  connected(): readonly ConnectedSidecar[]
  /** Grows when sidecars connect, leave, acknowledge, refuse or report; many such events may be one change. */
  readonly changed: Watch<number>
  /** Connected ones, and those that were not long ago. */
  page(request: PageRequest): ListSidecarsResponse
}

export interface SyncHubDeps {
  readonly enrollment: Pick<EnrollmentService, 'confirm'>
  readonly endpoints: EndpointRegistry
  readonly resources: SyncResources
  readonly clock: Pick<Clock, 'now' | 'after' | 'sleep'>
  readonly logger: Logger
}

export function createSyncHub(deps: SyncHubDeps): SyncHub {
  const { endpoints, resources, logger } = deps
  const sidecars = createSidecarList(deps.clock)
  const orders = createRotationOrders()
  const ticker = createTicker(deps.clock)
  const subscription = resources.subscribe(() => {
    for (const connection of sidecars.connections()) connection.wake()
  })

  /** The stream is a sidecar's from here on. */
  function begin(stream: SyncServerStream, opening: Opening): SyncConnection {
    const connection = createSyncConnection(stream, opening, resources)
    const replaced = sidecars.enter(connection)
    replaced?.end(new RpcError('ERR_RPC_CONFLICT', 'the same instance opened another stream'))
    const endpoint = toEndpoint(connection)
    if (endpoint) endpoints.connected(endpoint)
    logger.info('sidecar connected', { ...describe(connection), ...versionOf(opening.hello) })
    connection.wake()
    settle(connection)
    return connection
  }

  function finish(connection: SyncConnection): void {
    if (!sidecars.leave(connection)) return
    ticker.tick()
    const endpoint = toEndpoint(connection)
    if (endpoint) endpoints.disconnected(endpoint)
    logger.info('sidecar disconnected', describe(connection))
  }

  /** It may have followed an order, or need to hear it again. */
  function settle(connection: SyncConnection): void {
    orders.remind(connection)
    ticker.tick()
  }

  function receive(connection: SyncConnection, message: SyncRequestMessage): void {
    connection.receive(message)
    settle(connection)
  }

  function rotateWhere(picks: (sidecar: ConnectedSidecar) => boolean): readonly SyncConnection[] {
    const told = [...sidecars.connections()].filter(({ view }) => picks(view))
    for (const connection of told) orders.order(connection)
    return told
  }

  return {
    accept(stream, caller) {
      openStream(stream, deps, toSyncIdentity(caller), { sidecars, begin, receive, finish })
    },
    rotate: (spiffeId) =>
      rotateWhere((sidecar) => spiffeId === '' || sidecar.spiffeId === spiffeId).map(({ identity }) => identity.id.uri),
    rotateWhere: (picks) => rotateWhere(picks).length,
    recheck: createRecheck(
      deps,
      () => sidecars.connections(),
      (connection, denial) => dismiss(deps, connection, denial),
    ),
    connected: () => sidecars.views,
    changed: ticker.changed,
    page: (request) => sidecars.page(request),
    [Symbol.dispose]() {
      subscription[Symbol.dispose]()
      ticker[Symbol.dispose]()
    },
  }
}

function dismiss(
  { endpoints, logger }: SyncHubDeps,
  connection: SyncConnection,
  { reason, message, detail }: EnrollmentDenial,
): void {
  logger.warn('sidecar dismissed', { ...describe(connection), reason, detail })
  connection.end(new RpcError('ERR_RPC_DENIED', message))
  const endpoint = toEndpoint(connection)
  if (endpoint) endpoints.withdrawn(endpoint)
}

function toSyncIdentity(caller: Caller): SyncIdentity {
  const { id, leaf, notAfter } = identityOf(caller)
  return { id, serialNumber: leaf.serialNumber, notAfter }
}

function toEndpoint({ hello, identity, standing }: SyncConnection): KnownEndpoint | undefined {
  if (hello.advertise === '') return undefined
  return {
    spiffeId: identity.id.uri,
    instanceId: hello.instanceId,
    service: standing.entry.service,
    address: hello.advertise,
    expiresAtMs: identity.notAfter.getTime(),
  }
}

function versionOf({ version, advertise }: Hello): { version: string; advertise: string } {
  return { version, advertise }
}

function describe({ identity, hello, standing }: SyncConnection): {
  spiffeId: string
  instance: string
  service: string
} {
  return { spiffeId: identity.id.uri, instance: hello.instanceId, service: standing.entry.service }
}
