import type { TLSSocket } from 'node:tls'
import {
  serveConnection,
  type Exchange,
  type ExchangeFlag,
  type ExchangeOutcome,
  type ForwardOptions,
  type HttpLimits,
  type HttpRefusal,
  type RequestHead,
  type ServerConnection,
  type ServerConnectionHandler,
  type UpstreamPool,
} from '@picket/http'
import type { VerifiedPeer } from '@picket/mtls'
import {
  createPolicyConnection,
  denyWithoutPolicy,
  type Decision,
  type DecisionReason,
  type Permit,
  type PolicyConnection,
} from '@picket/policy'
import type { Clock, HostPort } from '@picket/runtime'
import type { AccessLog } from './access-log.ts'
import { connectionFields, type RequestRecord } from './access-record.ts'
import type { Connections, LiveConnection } from './connections.ts'
import type { DecisionFieldsCache } from './decision-fields.ts'
import {
  createForwardedIdentity,
  IDENTITY_HEADERS,
  OWN_RESPONSE_HEADERS,
  type ForwardedIdentity,
} from './forwarded-identity.ts'
import type { SidecarInputs } from './inputs.ts'
import { deny, errorAnswer, type OwnAnswer } from './refusal.ts'
import type { RequestIds } from './request-id.ts'
import type { TrafficMetrics } from './traffic-metrics.ts'

/** What all connections of a listener have in common. */
export interface InboundServices {
  readonly inputs: SidecarInputs
  readonly accessLog: AccessLog
  readonly metrics: TrafficMetrics
  readonly connections: Connections
  readonly pool: UpstreamPool
  readonly clock: Clock
  readonly limits: HttpLimits
  readonly service: () => string
  readonly requestIds: RequestIds
  readonly decisionFields: DecisionFieldsCache
}

/** Serves a verified peer's connection until it closes. */
export function serveInbound(socket: TLSSocket, peer: VerifiedPeer, services: InboundServices): void {
  new InboundConnection(socket, peer, services)
}

/**
 * One peer's connection and all that is constant on it. A request takes one straight way: the connection is in the registry
 * before its first byte is read; the head has been read strictly; policy decides on the very bytes that are forwarded;
 * the request is refused, or forwarded on the decision's permit; whatever happens, `onOutcome` records it once.
 */
class InboundConnection implements ServerConnectionHandler, LiveConnection, RequestRecord {
  readonly peer: VerifiedPeer
  readonly connectionFields: Buffer
  readonly requestIdBytes: Buffer
  readonly requestIdAt: number
  decisionFields: Buffer = Buffer.alloc(0)
  startedMs = 0
  readonly #services: InboundServices
  readonly #service: string
  readonly #remote: HostPort | undefined
  readonly #identity: ForwardedIdentity
  readonly #policyConnection: PolicyConnection
  readonly #forwarding: ForwardOptions
  readonly #connection: ServerConnection
  readonly #tracked: Disposable
  #reason: DecisionReason = 'policy_missing'
  #head: RequestHead | undefined
  #outcome: ExchangeOutcome | undefined

  constructor(socket: TLSSocket, peer: VerifiedPeer, services: InboundServices) {
    const { inputs, pool, connections, metrics, limits, clock } = services
    const serviceId = inputs.svid.value.id
    this.peer = peer
    this.#services = services
    this.#service = services.service()
    this.#remote = toHostPort(socket.remoteAddress, socket.remotePort)
    this.#identity = createForwardedIdentity(serviceId, peer, services.requestIds)
    this.requestIdBytes = this.#identity.responseLines
    this.requestIdAt = this.#identity.requestIdAt
    this.connectionFields = connectionFields({
      direction: 'inbound',
      service: this.#service,
      caller: peer.id.uri,
      peer: this.#remote,
    })
    this.#policyConnection = createPolicyConnection({
      caller: peer.id,
      service: this.#service,
      serviceId,
      source: this.#remote,
      destination: toHostPort(socket.localAddress, socket.localPort),
      direction: 'inbound',
    })
    this.#forwarding = {
      pool,
      removeRequestHeaders: IDENTITY_HEADERS,
      addRequestHeaders: this.#identity.requestLines,
      addRequestHeadersLength: this.#identity.requestLines.length,
      removeResponseHeaders: OWN_RESPONSE_HEADERS,
      addResponseHeaders: this.#identity.responseLines,
    }
    metrics.connectionOpened('inbound')
    this.#connection = serveConnection(socket, this, { limits, clock })
    this.#tracked = connections.track(this)
  }

  onRequest(exchange: Exchange): void {
    this.#identity.nextRequestId()
    const decision = this.#decide(exchange.head)
    this.#reason = decision.reason
    this.decisionFields = this.#services.decisionFields.of(decision)
    if (decision.kind === 'deny') deny(exchange, decision, this.#identity.requestId())
    else this.#forward(exchange, decision.permit)
  }

  onOutcome(exchange: Exchange, outcome: ExchangeOutcome): void {
    this.#head = exchange.head
    this.#outcome = outcome
    this.startedMs = exchange.startedMs
    this.#services.metrics.inbound(outcome, this.#reason)
    this.#services.accessLog.request(this)
  }

  /** The app could not be reached or did not answer: said in our words, under the request's ID. */
  failureAnswer(flag: ExchangeFlag): OwnAnswer {
    return errorAnswer(flag, this.#identity.requestId())
  }

  /** Malformed bytes: answered by the reader, forwarded by nobody. */
  onRefused({ code, status, message }: HttpRefusal): void {
    this.#services.metrics.malformed('inbound')
    this.#services.accessLog.refusal({
      kind: 'malformed',
      direction: 'inbound',
      service: this.#service,
      caller: this.peer.id.uri,
      peer: this.#remote,
      status,
      reason: code,
      message,
    })
  }

  onClose(): void {
    this.#tracked[Symbol.dispose]()
    this.#services.metrics.connectionClosed('inbound')
  }

  /** By the newest policy, on live connections too. Never throws: trouble is a denial. */
  #decide(head: RequestHead): Decision {
    const engine = this.#services.inputs.policy.engine.value
    return engine === undefined ? denyWithoutPolicy() : engine.decide(this.#policyConnection, head)
  }

  /** The permit is the proof that policy allowed: there is no forwarding without one. */
  #forward(exchange: Exchange, _permit: Permit): void {
    exchange.forward(this.#forwarding)
  }

  get head(): RequestHead {
    return this.#head!
  }

  get outcome(): ExchangeOutcome {
    return this.#outcome!
  }

  get busy(): boolean {
    return this.#connection.busy
  }

  drain(): void {
    this.#connection.drain()
  }

  revoke(message: string): void {
    this.destroy()
    this.#services.accessLog.refusal({
      kind: 'revoked',
      direction: 'inbound',
      service: this.#service,
      caller: this.peer.id.uri,
      peer: this.#remote,
      reason: 'revoked',
      message,
    })
  }

  destroy(): void {
    this.#connection.destroy()
  }
}

function toHostPort(host: string | undefined, port: number | undefined): HostPort | undefined {
  return host === undefined || port === undefined ? undefined : { host, port }
}
