import {
  RpcError,
  type Caller,
  type Hello,
  type Report,
  type SidecarStatus,
  type SyncRequestMessage,
  type SyncServerStream,
} from '@picket/rpc'
import { parseHostPort, type Clock, type Logger } from '@picket/runtime'
import { identityOf } from './certificates.ts'
import type { EndpointRegistry, KnownEndpoint } from './endpoints.ts'
import type { EnrollmentDenial, EnrollmentService } from './enrollment.ts'
import type { RegistrationEntry } from './entries.ts'
import { ControlPlaneError } from './error.ts'
import { toRpcError } from './rpc-answer.ts'
import { createSidecarList, type SidecarList } from './sidecar-list.ts'
import { createSyncConnection, type SyncConnection, type SyncIdentity } from './sync-connection.ts'
import type { SyncResources } from './sync-resources.ts'

/** Every sidecar's stream, and what goes out on them. */
export interface SyncHub extends Disposable {
  /** Takes over a new stream. */
  accept(stream: SyncServerStream, caller: Caller): void
  /** Tells the sidecars of one SPIFFE ID, or all for '', to renew; who was told. */
  rotate(spiffeId: string): readonly string[]
  /** Entries have changed: ends the streams of this SPIFFE ID that none of them confirms any more. */
  recheck(spiffeId: string): Promise<void>
  /** Connected ones, and those that were not long ago. */
  sidecars(): readonly SidecarStatus[]
}

export interface SyncHubDeps {
  readonly enrollment: Pick<EnrollmentService, 'confirm'>
  readonly endpoints: EndpointRegistry
  readonly resources: SyncResources
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Logger
}

export function createSyncHub(deps: SyncHubDeps): SyncHub {
  const { endpoints, resources, logger } = deps
  const sidecars = createSidecarList(deps.clock)
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
    const { version, advertise } = opening.hello
    logger.info('sidecar connected', { ...describe(connection), version, advertise })
    connection.wake()
    return connection
  }

  function finish(connection: SyncConnection): void {
    if (!sidecars.leave(connection)) return
    const endpoint = toEndpoint(connection)
    if (endpoint) endpoints.disconnected(endpoint)
    logger.info('sidecar disconnected', describe(connection))
  }

  function dismiss(connection: SyncConnection, { reason, message, detail }: EnrollmentDenial): void {
    logger.warn('sidecar dismissed', { ...describe(connection), reason, detail })
    connection.end(new RpcError('ERR_RPC_DENIED', message))
    const endpoint = toEndpoint(connection)
    if (endpoint) endpoints.withdrawn(endpoint)
  }

  return {
    accept(stream, caller) {
      const { id, leaf, notAfter } = identityOf(caller)
      openStream(stream, deps, { id, serialNumber: leaf.serialNumber, notAfter }, { sidecars, begin, finish })
    },
    rotate(spiffeId) {
      const told = sidecars.connections().filter(({ identity }) => spiffeId === '' || identity.id.uri === spiffeId)
      for (const connection of told) connection.rotate()
      return told.map(({ identity }) => identity.id.uri)
    },
    async recheck(spiffeId) {
      for (const connection of sidecars.connections()) {
        const { id, serialNumber } = connection.identity
        if (id.uri !== spiffeId) continue
        const confirmed = await deps.enrollment.confirm(id, serialNumber)
        if (confirmed.kind === 'denied') dismiss(connection, confirmed)
        else connection.confirm(confirmed.entry)
      }
    },
    sidecars: () => sidecars.list(),
    [Symbol.dispose]: () => subscription[Symbol.dispose](),
  }
}

interface Opening {
  readonly identity: SyncIdentity
  readonly hello: Hello
  readonly entry: RegistrationEntry
}

interface StreamOwner {
  readonly sidecars: SidecarList
  begin(stream: SyncServerStream, opening: Opening): SyncConnection
  finish(connection: SyncConnection): void
}

/** From the first message on: Hello, the entries' word on it, then the connection's own business. */
function openStream(
  stream: SyncServerStream,
  { enrollment, logger }: SyncHubDeps,
  identity: SyncIdentity,
  owner: StreamOwner,
): void {
  let connection: SyncConnection | undefined
  let greeted = false
  let early: Report | undefined
  let open = true

  async function greet(hello: Hello): Promise<void> {
    checkHello(hello, owner.sidecars, identity)
    const confirmed = await enrollment.confirm(identity.id, identity.serialNumber)
    if (!open) return
    if (confirmed.kind === 'denied') {
      logger.warn('stream denied', { spiffeId: identity.id.uri, reason: confirmed.reason, detail: confirmed.detail })
      throw new RpcError('ERR_RPC_DENIED', confirmed.message)
    }
    connection = owner.begin(stream, { identity, hello, entry: confirmed.entry })
    if (early) connection.receive(early)
  }

  stream.onMessage((message: SyncRequestMessage) => {
    if (connection) return connection.receive(message)
    if (greeted && message.kind === 'report') return void (early = message)
    if (greeted && message.kind !== 'hello') return // about something that was not sent
    if (greeted || message.kind !== 'hello') throw new RpcError('ERR_RPC_INVALID', 'a stream begins with one Hello')
    greeted = true
    greet(message).catch((thrown: unknown) => stream.end(toRpcError(thrown) as Error))
  })
  stream.onEnd(() => {
    open = false
    if (connection) owner.finish(connection)
  })
}

function checkHello(hello: Hello, sidecars: SidecarList, { id }: SyncIdentity): void {
  if (hello.instanceId === '') throw new RpcError('ERR_RPC_INVALID', 'instance_id is empty')
  if (!sidecars.hasRoomFor(id.uri)) throw new RpcError('ERR_RPC_EXHAUSTED', 'too many instances of this SPIFFE ID')
  if (hello.advertise === '') return
  try {
    const { host, port } = parseHostPort(hello.advertise)
    if (port > 0 && host !== '0.0.0.0' && host !== '::') return
  } catch {
    // said below
  }
  throw new ControlPlaneError('ERR_ADVERTISE', `advertise: "${hello.advertise}" is no HOST:PORT that others can reach`)
}

function toEndpoint({ hello, identity, entry }: SyncConnection): KnownEndpoint | undefined {
  if (hello.advertise === '') return undefined
  return {
    spiffeId: identity.id.uri,
    instanceId: hello.instanceId,
    service: entry.service,
    address: hello.advertise,
    expiresAtMs: identity.notAfter.getTime(),
  }
}

function describe({ identity, hello, entry }: SyncConnection): { spiffeId: string; instance: string; service: string } {
  return { spiffeId: identity.id.uri, instance: hello.instanceId, service: entry.service }
}
