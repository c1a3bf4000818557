import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ExchangeOutcome } from '@picket/http'
import { createMetrics } from '@picket/runtime'
import { createTrafficMetrics } from './traffic-metrics.ts'

const OUTCOME: ExchangeOutcome = {
  status: 200,
  requestBytes: 100,
  responseBytes: 1000,
  durationMs: 3,
  upstreamMs: 2,
  flag: '',
  detail: '',
  reused: true,
  retried: false,
}

test('counts each exchange once, by direction, status class, decision and cause', () => {
  const metrics = createMetrics()
  const traffic = createTrafficMetrics(metrics)
  traffic.inbound(OUTCOME, 'allowed')
  traffic.inbound({ ...OUTCOME, status: 502, flag: 'upstream_reset' }, 'allowed')
  traffic.inbound({ ...OUTCOME, status: 403 }, 'policy_denied')
  traffic.inbound({ ...OUTCOME, status: 0, flag: 'client_disconnected' }, 'policy_missing')
  traffic.outbound(OUTCOME)
  const text = metrics.render()
  for (const line of [
    'picket_requests_total{direction="inbound",status="2xx"} 1',
    'picket_requests_total{direction="inbound",status="4xx"} 1',
    'picket_requests_total{direction="inbound",status="5xx"} 1',
    'picket_requests_total{direction="inbound",status="none"} 1',
    'picket_requests_total{direction="outbound",status="2xx"} 1',
    'picket_request_bytes_total{direction="inbound"} 400',
    'picket_response_bytes_total{direction="outbound"} 1000',
    'picket_decisions_total{reason="allowed"} 2',
    'picket_decisions_total{reason="policy_denied"} 1',
    'picket_decisions_total{reason="policy_missing"} 1',
    'picket_request_failures_total{direction="inbound",flag="upstream_reset"} 1',
    'picket_request_duration_seconds_count{direction="inbound"} 4',
  ]) {
    assert(text.includes(`${line}\n`), line)
  }
  assert.deepEqual([traffic.requestsAllowed, traffic.requestsDenied], [2, 2])
})

test('connections go up and down; refusals are counted by reason', () => {
  const metrics = createMetrics()
  const traffic = createTrafficMetrics(metrics)
  traffic.connectionOpened('inbound')
  traffic.connectionOpened('inbound')
  traffic.connectionClosed('inbound')
  traffic.handshakeRefused('expired')
  traffic.malformed('outbound')
  const text = metrics.render()
  for (const line of [
    'picket_connections{direction="inbound"} 1',
    'picket_connections_total{direction="inbound"} 2',
    'picket_handshakes_refused_total{code="expired"} 1',
    'picket_malformed_requests_total{direction="outbound"} 1',
  ]) {
    assert(text.includes(`${line}\n`), line)
  }
})

test('the first denial can be rated: its counter is there before it', () => {
  const metrics = createMetrics()
  createTrafficMetrics(metrics)
  assert.match(metrics.render(), /picket_decisions_total\{reason="policy_denied"\} 0/)
})
