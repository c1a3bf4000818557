import { connect } from 'node:net'
import { createUpstreamPool, DEFAULT_LIMITS, type HttpLimits, type UpstreamPool } from '@picket/http'
import { createMtlsListener, type KeyExchangeProfile } from '@picket/mtls'
import type { Clock, HostPort, Logger, Random } from '@picket/runtime'
import type { AccessLog } from './access-log.ts'
import { createConnections } from './connections.ts'
import { createDecisionFieldsCache } from './decision-fields.ts'
import type { TrafficListener } from './inbound-gate.ts'
import { serveInbound, type InboundServices } from './inbound.ts'
import type { SidecarInputs } from './inputs.ts'
import { createRequestIds } from './request-id.ts'
import type { TrafficMetrics } from './traffic-metrics.ts'

export interface InboundDeps {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly metrics: TrafficMetrics
  readonly accessLog: AccessLog
}

export interface InboundOptions {
  readonly listen: HostPort
  readonly app: HostPort
  /** The service's name in policy input and records; asked for per connection. */
  readonly service: () => string
  readonly limits?: Partial<HttpLimits>
  readonly maxConnections?: number
  readonly keyExchange?: KeyExchangeProfile
}

/** Takes calls from verified peers, decides each by policy and forwards what is allowed to the app. Throws `MtlsError`. */
export async function startInbound(
  deps: InboundDeps,
  inputs: SidecarInputs,
  options: InboundOptions,
): Promise<TrafficListener> {
  const { clock, logger, accessLog, metrics } = deps
  await using stack = new AsyncDisposableStack()
  const pool = stack.use(createAppPool(options.app, clock))
  const connections = createConnections(clock)
  const services: InboundServices = {
    inputs,
    accessLog,
    metrics,
    connections,
    pool,
    clock,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    service: options.service,
    requestIds: createRequestIds(deps.random),
    decisionFields: createDecisionFieldsCache(),
  }
  const listener = await createMtlsListener(
    { svid: inputs.svid, bundles: inputs.bundles, clock, logger },
    {
      address: options.listen,
      clientCertificate: 'required',
      alpn: ['http/1.1'],
      ...(options.maxConnections !== undefined && { maxConnections: options.maxConnections }),
      ...(options.keyExchange !== undefined && { keyExchange: options.keyExchange }),
    },
    {
      connection(socket, peer) {
        if (peer) serveInbound(socket, peer, services)
        else socket.destroy()
      },
      refused({ code, message }, remote) {
        metrics.handshakeRefused(code)
        const service = options.service()
        accessLog.refusal({ kind: 'handshake', direction: 'inbound', service, peer: remote, reason: code, message })
      },
    },
  )
  stack.use(listener)
  stack.use(connections)
  stack.use(
    inputs.bundles.subscribe((bundles) => {
      const left = connections.reverify(bundles)
      if (left > 0) logger.info('connections end: their peers are no longer trusted', { connections: left })
    }),
  )
  const owned = stack.move()
  return {
    address: listener.address,
    drain(deadline) {
      listener.stopAccepting()
      return connections.drain(deadline)
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

function createAppPool(app: HostPort, clock: Clock): UpstreamPool {
  return createUpstreamPool(
    {
      name: 'app',
      connect: (read) => connect({ ...app, ...read, noDelay: true }),
      readyEvent: 'connect',
      maxConnections: 512,
      maxIdle: 128,
      idleTimeoutMs: 60_000,
      connectTimeoutMs: 2_000,
      responseTimeoutMs: 300_000,
    },
    { clock },
  )
}
