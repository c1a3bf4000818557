import {
  chunkResource,
  encodeServiceConfig,
  RpcError,
  type Caller,
  type Hello,
  type Resource,
  type ResourceChunk,
  type SidecarStatus,
  type SyncRequestMessage,
  type SyncServerStream,
} from '@picket/rpc'
import { parseHostPort, type Clock, type Logger, type Watch } from '@picket/runtime'
import { identityOf } from './certificates.ts'
import type { EndpointRegistry, KnownEndpoint } from './endpoints.ts'
import type { EnrollmentDenial, EnrollmentService } from './enrollment.ts'
import type { RegistrationEntry } from './entries.ts'
import { ControlPlaneError } from './error.ts'
import { createResource } from './revision.ts'
import { toRpcError } from './rpc-answer.ts'
import { createSidecarList, type SidecarList } from './sidecar-list.ts'
import { createSyncConnection, type SyncConnection, type SyncIdentity } from './sync-connection.ts'

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
  readonly trustBundle: Watch<Resource>
  readonly policy: Watch<Resource | undefined>
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Logger
}

export function createSyncHub(deps: SyncHubDeps): SyncHub {
  const { endpoints, trustBundle, policy } = deps
  const sidecars = createSidecarList(deps.clock)
  const cutUp = new WeakMap<Resource, readonly ResourceChunk[]>()
  const wakeAll = (): void => {
    for (const connection of sidecars.connections()) connection.wake()
  }
  const subscriptions = [trustBundle, policy, endpoints.resource].map((resource) => resource.subscribe(wakeAll))

  const driver = {
    wanted(entry: RegistrationEntry): readonly Resource[] {
      const config = createResource('service-config', encodeServiceConfig({ service: { name: entry.service } }))
      const wanted = [trustBundle.value, config, endpoints.resource.value]
      return policy.value ? [...wanted, policy.value] : wanted
    },
    /** One cut for all streams: the pieces share the resource's memory. */
    chunksOf(resource: Resource): readonly ResourceChunk[] {
      const chunks = cutUp.get(resource) ?? chunkResource(resource)
      cutUp.set(resource, chunks)
      return chunks
    },
  }

  /** The stream is a sidecar's from here on. */
  function begin(
    stream: SyncServerStream,
    identity: SyncIdentity,
    hello: Hello,
    entry: RegistrationEntry,
  ): SyncConnection {
    const connection = createSyncConnection(stream, { identity, hello, entry }, driver)
    const replaced = sidecars.enter(connection)
    replaced?.end(new RpcError('ERR_RPC_CONFLICT', 'the same instance opened another stream'))
    const endpoint = toEndpoint(connection)
    if (endpoint) endpoints.connected(endpoint)
    deps.logger.info('sidecar connected', {
      ...describe(connection),
      version: hello.version,
      advertise: hello.advertise,
    })
    connection.wake()
    return connection
  }

  function finish(connection: SyncConnection): void {
    if (!sidecars.leave(connection)) return
    const endpoint = toEndpoint(connection)
    if (endpoint) endpoints.disconnected(endpoint)
    deps.logger.info('sidecar disconnected', describe(connection))
  }

  function dismiss(connection: SyncConnection, denial: EnrollmentDenial): void {
    deps.logger.warn('sidecar dismissed', { ...describe(connection), reason: denial.reason, detail: denial.detail })
    connection.end(new RpcError('ERR_RPC_DENIED', denial.message))
    const endpoint = toEndpoint(connection)
    if (endpoint) endpoints.withdrawn(endpoint)
  }

  return {
    accept(stream, caller) {
      const { id, leaf, notAfter } = identityOf(caller)
      const identity = { id, serialNumber: leaf.serialNumber, notAfter }
      openStream(stream, deps, identity, { sidecars, begin, finish })
    },
    rotate(spiffeId) {
      const told = sidecars.connections().filter(({ identity }) => spiffeId === '' || identity.id.uri === spiffeId)
      for (const connection of told) connection.rotate()
      return told.map(({ identity }) => identity.id.uri)
    },
    async recheck(spiffeId) {
      for (const connection of sidecars.connections()) {
        if (connection.identity.id.uri !== spiffeId) continue
        const confirmed = await deps.enrollment.confirm(connection.identity.id, connection.identity.serialNumber)
        if (confirmed.kind === 'denied') dismiss(connection, confirmed)
        else connection.confirm(confirmed.entry)
      }
    },
    sidecars: () => sidecars.list(),
    [Symbol.dispose]() {
      for (const subscription of subscriptions) subscription[Symbol.dispose]()
    },
  }
}

interface StreamOwner {
  readonly sidecars: SidecarList
  begin(stream: SyncServerStream, identity: SyncIdentity, hello: Hello, entry: RegistrationEntry): SyncConnection
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
  let open = true

  async function greet(hello: Hello): Promise<void> {
    checkHello(hello, owner.sidecars, identity)
    const confirmed = await enrollment.confirm(identity.id, identity.serialNumber)
    if (!open) return
    if (confirmed.kind === 'denied') {
      logger.warn('stream denied', { spiffeId: identity.id.uri, reason: confirmed.reason, detail: confirmed.detail })
      throw new RpcError('ERR_RPC_DENIED', confirmed.message)
    }
    connection = owner.begin(stream, identity, hello, confirmed.entry)
  }

  stream.onMessage((message: SyncRequestMessage) => {
    if (connection) return connection.receive(message)
    if (greeted) return // says more before it was answered: nothing of that matters yet
    if (message.kind !== 'hello') throw new RpcError('ERR_RPC_INVALID', 'the first message is not a Hello')
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
