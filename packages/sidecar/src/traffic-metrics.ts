import type { ExchangeFlag, ExchangeOutcome } from '@picket/http'
import type { PeerRefusalCode } from '@picket/mtls'
import type { DecisionReason } from '@picket/policy'
import { DURATION_BOUNDS_SECONDS, type Counter, type Metrics } from '@picket/runtime'
import type { Direction } from './access-record.ts'

/** What is counted of traffic. Labels come from closed lists; nothing from the wire is one. */
export interface TrafficMetrics {
  /** Inbound decisions since the start. */
  readonly requestsAllowed: number
  readonly requestsDenied: number
  /** TLS key exchange group of the newest connection to another sidecar. */
  readonly keyExchangeGroup: string | undefined
  /** On a new connection to another sidecar. */
  keysExchanged(group: string | undefined): void
  /** Once per exchange. */
  inbound(outcome: ExchangeOutcome, reason: DecisionReason): void
  outbound(outcome: ExchangeOutcome): void
  malformed(direction: Direction): void
  handshakeRefused(code: PeerRefusalCode): void
  connectionOpened(direction: Direction): void
  connectionClosed(direction: Direction): void
}

export function createTrafficMetrics(metrics: Metrics): TrafficMetrics {
  const inbound = createExchangeMetrics(metrics, 'inbound')
  const outbound = createExchangeMetrics(metrics, 'outbound')
  const connections = {
    inbound: createConnectionCount(metrics, 'inbound'),
    outbound: createConnectionCount(metrics, 'outbound'),
  }
  const decisions = byLabel<DecisionReason>((reason) =>
    metrics.counter('picket_decisions_total', 'Policy decisions, by reason', { reason }),
  )
  const handshakes = byLabel<PeerRefusalCode>((code) =>
    metrics.counter('picket_handshakes_refused_total', 'Peers not let in, by reason', { code }),
  )
  const malformed = byLabel<Direction>((direction) =>
    metrics.counter('picket_malformed_requests_total', 'Bytes that were no request', { direction }),
  )
  // Present from the start, so that a rate can be taken of the first one.
  decisions('allowed')
  decisions('policy_denied')
  let requestsAllowed = 0
  let requestsDenied = 0
  let keyExchangeGroup: string | undefined
  return {
    get requestsAllowed() {
      return requestsAllowed
    },
    get requestsDenied() {
      return requestsDenied
    },
    get keyExchangeGroup() {
      return keyExchangeGroup
    },
    keysExchanged: (group) => void (keyExchangeGroup = group),
    inbound(outcome, reason) {
      if (reason === 'allowed') requestsAllowed += 1
      else requestsDenied += 1
      decisions(reason).add()
      inbound(outcome)
    },
    outbound,
    malformed: (direction) => malformed(direction).add(),
    handshakeRefused: (code) => handshakes(code).add(),
    connectionOpened: (direction) => connections[direction](1),
    connectionClosed: (direction) => connections[direction](-1),
  }
}

const STATUS_CLASSES = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'] as const

function createExchangeMetrics(metrics: Metrics, direction: Direction): (outcome: ExchangeOutcome) => void {
  const labels = { direction }
  const byStatus = STATUS_CLASSES.map((status) =>
    metrics.counter('picket_requests_total', 'Requests by status class, none when the caller left', {
      ...labels,
      status,
    }),
  )
  const durations = metrics.histogram(
    'picket_request_duration_seconds',
    'From the complete request head to the last response byte',
    DURATION_BOUNDS_SECONDS,
    labels,
  )
  const received = metrics.counter('picket_request_bytes_total', 'Bytes of requests, heads included', labels)
  const sent = metrics.counter('picket_response_bytes_total', 'Bytes of responses, heads included', labels)
  const failures = byLabel<ExchangeFlag>((flag) =>
    metrics.counter('picket_request_failures_total', 'Requests that went wrong, by cause', { ...labels, flag }),
  )
  return (outcome) => {
    byStatus[(outcome.status / 100) | 0]?.add()
    durations.observe(outcome.durationMs / 1000)
    received.add(outcome.requestBytes)
    sent.add(outcome.responseBytes)
    if (outcome.flag !== '') failures(outcome.flag).add()
  }
}

function createConnectionCount(metrics: Metrics, direction: Direction): (change: 1 | -1) => void {
  const open = metrics.gauge('picket_connections', 'Open connections', { direction })
  const opened = metrics.counter('picket_connections_total', 'Connections let in', { direction })
  let count = 0
  return (change) => {
    if (change === 1) opened.add()
    count += change
    open.set(count)
  }
}

/** One counter per label value, made when first needed. */
function byLabel<Label extends string>(create: (label: Label) => Counter): (label: Label) => Counter {
  const counters = new Map<Label, Counter>()
  return (label) => {
    let counter = counters.get(label)
    if (!counter) counters.set(label, (counter = create(label)))
    return counter
  }
}
