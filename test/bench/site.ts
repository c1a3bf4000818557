import type { WorkloadFiles } from '../support/certs.ts'
import type { StartedProcess } from './processes.ts'

/** What a contestant is given: its own folder and port, its identity, and the upstream that it guards. */
export interface Site {
  readonly folder: string
  readonly port: number
  readonly upstreamPort: number
  readonly service: WorkloadFiles
  readonly caller: WorkloadFiles
}

/** A program under test. */
export interface Contestant {
  readonly name: string
  /** What it does for each request, as the table's legend says it. */
  readonly does: string
  /** Why it cannot take part here, with the package that would bring it; undefined when it can. */
  readonly missing: string | undefined
  /** Where its access log is, for those that keep one. */
  readonly accessLog?: string
  start(site: Site): StartedProcess
}

/** The call that every contestant is asked to serve: a head of about 1 KB, as one service sends to another. */
export const CALL = {
  path: '/accounts/42?currency=EUR',
  headers: {
    Host: 'accounts.mesh',
    'User-Agent': 'bank-gateway/3.4.1 (linux; x64) http-client/2.9',
    Accept: 'application/json',
    'Accept-Encoding': 'gzip, deflate, br',
    'Accept-Language': 'en-GB,en;q=0.9,de;q=0.8',
    Authorization: `Bearer ${'eyJhbGciOiJFUzI1NiIsImtpZCI6IjQyIn0.'.padEnd(500, 'aZ09-_bY18.cX27')}`,
    Traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    Tracestate: 'bank=t61rcWkgMzE,vendor=00f067aa0ba902b7',
    'X-Request-Id': '6f9619ff-8b86-4d01-b42d-00cf4fc964ff',
    'X-Forwarded-For': '203.0.113.57, 10.1.2.3',
    'Idempotency-Key': '0d7f1c52-9a3e-4c0e-8a64-5f3f0c9b2d11',
  },
} as const
