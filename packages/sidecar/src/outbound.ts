import { createServer, type AddressInfo, type Socket } from 'node:net'
import {
  DEFAULT_LIMITS,
  serveConnection,
  type Exchange,
  type ExchangeFlag,
  type ExchangeOutcome,
  type HttpLimits,
  type HttpRefusal,
  type RequestHead,
  type ServerConnection,
  type ServerConnectionHandler,
  type UpstreamPool,
} from '@picket/http'
import type { KeyExchangeProfile } from '@picket/mtls'
import { createDrain, isLoopback, type Clock, type HostPort, type Logger, type Random } from '@picket/runtime'
import type { AccessLog } from './access-log.ts'
import { connectionFields, decisionFields, type RequestRecord } from './access-record.ts'
import type { Endpoint } from './balancer.ts'
import { SidecarError } from './error.ts'
import { IDENTITY_CLAIMS } from './forwarded-identity.ts'
import type { TrafficListener } from './inbound-gate.ts'
import type { SidecarInputs } from './inputs.ts'
import { errorAnswer, refuse, type OwnAnswer, type RefusalCause } from './refusal.ts'
import { createRequestIds, REQUEST_ID_LENGTH, type RequestIds } from './request-id.ts'
import type { OutboundRoute } from './settings.ts'
import type { TrafficMetrics } from './traffic-metrics.ts'
import { createUpstreamDirectory, type UpstreamDirectory } from './upstream-directory.ts'
import type { UpstreamService } from './upstream-service.ts'

/**
 * The app's way out: plain HTTP on loopback in, mutual TLS with a pinned SPIFFE ID out. Whoever can connect here speaks
 * as this service; that is why it listens on loopback and nowhere else.
 */
export interface OutboundDeps {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly metrics: TrafficMetrics
  readonly accessLog: AccessLog
}

export interface OutboundOptions {
  readonly listen: HostPort
  /** One service for the whole listener, or each request's by its Host, `NAME.mesh`. */
  readonly route: OutboundRoute | 'by-host'
  readonly keyExchange?: KeyExchangeProfile
  /** This sidecar's own service, for the log. */
  readonly service: () => string
  readonly limits?: Partial<HttpLimits>
}

/** Throws `ERR_LISTEN` for an address that is not loopback; the system's listen errors pass through. */
export async function startOutbound(
  deps: OutboundDeps,
  inputs: SidecarInputs,
  options: OutboundOptions,
): Promise<TrafficListener> {
  if (!isLoopback(options.listen.host)) {
    throw new SidecarError(
      'ERR_LISTEN',
      `outbound: ${options.listen.host} is not a loopback address: others could call as this service`,
    )
  }
  const directory = createUpstreamDirectory(deps, inputs, options.keyExchange)
  const find = finderOf(options.route, directory)
  const ids = createRequestIds(deps.random)
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const connections = new Set<ServerConnection>()
  const drain = createDrain()

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket: Socket) => {
    const ticket = drain.enter()
    const handler = new OutboundConnection(deps, options.service(), find, ids, () => {
      connections.delete(connection)
      ticket[Symbol.dispose]()
    })
    const connection = serveConnection(socket, handler, { limits, clock: deps.clock })
    connections.add(connection)
  })
  try {
    await listening(server, options.listen)
  } catch (thrown) {
    await directory[Symbol.asyncDispose]()
    throw thrown
  }
  server.on('error', (error) => deps.logger.error('outbound listener failed', { error: error.message }))
  const { address: host, port } = server.address() as AddressInfo
  return {
    address: { host, port },
    async drain(deadline) {
      server.close()
      for (const connection of connections) connection.drain()
      await drain.drain(deadline)
      return [...connections].filter(({ busy }) => busy).length
    },
    async [Symbol.asyncDispose]() {
      server.close()
      for (const connection of connections) connection.destroy()
      await directory[Symbol.asyncDispose]()
    },
  }
}

function listening(server: ReturnType<typeof createServer>, address: HostPort): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(address, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** Which service a request is for. */
type Finder = (head: RequestHead) => UpstreamService | undefined

const MESH_SUFFIX = '.mesh'

function finderOf(route: OutboundRoute | 'by-host', directory: UpstreamDirectory): Finder {
  if (route === 'by-host') return (head) => directory.find(meshName(head.host))
  if (route.kind === 'service') return () => directory.find(route.service)
  const service = directory.addStatic(route.spiffeId.uri, route.address, route.spiffeId)
  return () => service
}

/** `payments.mesh` and `Payments.mesh:80` → `payments`; '' for any other host, which no service is called. */
function meshName(host: string): string {
  const colon = host.indexOf(':')
  const name = (colon < 0 ? host : host.slice(0, colon)).toLowerCase()
  return name.endsWith(MESH_SUFFIX) ? name.slice(0, -MESH_SUFFIX.length) : ''
}

const ROUTED = decisionFields('forward', 'routed', '', '')
const REFUSED = {
  no_such_service: decisionFields('refuse', 'no_such_service', '', ''),
  no_endpoint: decisionFields('refuse', 'no_endpoint', '', ''),
} as const satisfies Record<RefusalCause, Buffer>
const NOTHING = Buffer.alloc(0)
/** The endpoint, not the request, is at fault: the next request goes elsewhere. */
const ENDPOINT_FAULTS: ReadonlySet<ExchangeFlag> = new Set([
  'upstream_connect_failed',
  'upstream_connect_timeout',
  'upstream_untrusted',
])

/** One connection of the app. It is its own access record, so that a request makes no objects. */
class OutboundConnection implements ServerConnectionHandler, RequestRecord {
  readonly requestIdAt = 0
  readonly requestIdBytes = Buffer.alloc(REQUEST_ID_LENGTH)
  connectionFields: Buffer = NOTHING
  decisionFields: Buffer = ROUTED
  head!: RequestHead
  outcome!: ExchangeOutcome
  startedMs = 0
  #service: UpstreamService | undefined
  #endpoint: Endpoint<UpstreamPool> | undefined
  readonly #deps: OutboundDeps
  readonly #caller: string
  readonly #find: Finder
  readonly #ids: RequestIds
  readonly #closed: () => void

  constructor(deps: OutboundDeps, caller: string, find: Finder, ids: RequestIds, closed: () => void) {
    this.#deps = deps
    this.#caller = caller
    this.#find = find
    this.#ids = ids
    this.#closed = closed
    ids.writePrefix(this.requestIdBytes, 0)
  }

  onRequest(exchange: Exchange): void {
    const service = this.#find(exchange.head)
    this.#describe(service)
    const endpoint = service?.pick()
    this.#endpoint = endpoint
    if (!endpoint) {
      const cause = service ? 'no_endpoint' : 'no_such_service'
      this.decisionFields = REFUSED[cause]
      return refuse(exchange, cause)
    }
    this.decisionFields = ROUTED
    exchange.forward({
      pool: endpoint.value,
      removeRequestHeaders: IDENTITY_CLAIMS,
      addRequestHeaders: NOTHING,
      addRequestHeadersLength: 0,
    })
  }

  onOutcome(exchange: Exchange, outcome: ExchangeOutcome): void {
    if (this.#endpoint && ENDPOINT_FAULTS.has(outcome.flag)) this.#endpoint.failed()
    else if (outcome.upstreamMs > 0) this.#endpoint?.succeeded()
    this.head = exchange.head
    this.outcome = outcome
    this.startedMs = exchange.startedMs
    this.#ids.next(this.requestIdBytes, 0)
    this.#deps.accessLog.request(this)
    this.#deps.metrics.outbound(outcome)
  }

  failureAnswer(flag: ExchangeFlag): OwnAnswer {
    return errorAnswer(flag)
  }

  onRefused(refusal: HttpRefusal): void {
    this.#deps.metrics.malformed('outbound')
    const { code, status, message } = refusal
    const direction = 'outbound'
    this.#deps.accessLog.refusal({
      kind: 'malformed',
      direction,
      service: this.#caller,
      peer: undefined,
      status,
      reason: code,
      message,
    })
  }

  onClose(): void {
    this.#closed()
  }

  /** The record's constant part changes only when the app changes the service on the same connection. */
  #describe(service: UpstreamService | undefined): void {
    if (service === this.#service && this.connectionFields !== NOTHING) return
    this.#service = service
    const callee = service?.spiffeId.uri ?? ''
    this.connectionFields = connectionFields({
      direction: 'outbound',
      service: this.#caller,
      caller: '',
      callee,
      peer: undefined,
    })
  }
}
