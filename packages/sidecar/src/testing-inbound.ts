import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { request as httpsRequest, Agent } from 'node:https'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { BundleSource, X509Svid } from '@picket/identity'
import { createTestAuthority, type TestAuthority } from '@picket/identity/testing'
import { toSecureContextOptions } from '@picket/mtls'
import { createPolicyStore, type PolicyStore } from '@picket/policy'
import { readShippedBundle } from '@picket/policy/testing'
import type { Endpoints } from '@picket/rpc'
import {
  createMetrics,
  createWatch,
  systemClock,
  systemRandom,
  type Clock,
  type HostPort,
  type Metrics,
  type WatchSource,
} from '@picket/runtime'
import { createRecordingLogger } from '@picket/runtime/testing'
import { createAccessLog, type AccessLog } from './access-log.ts'
import type { TrafficListener } from './inbound-gate.ts'
import { startInbound, type InboundOptions } from './inbound-listener.ts'
import type { LogSink } from './log-sink.ts'
import { createTrafficMetrics } from './traffic-metrics.ts'

/** A sink that keeps what is written, as parsed lines. */
export function createMemorySink(): LogSink & { readonly records: Record<string, unknown>[] } {
  const records: Record<string, unknown>[] = []
  return {
    records,
    write(bytes, done) {
      for (const line of bytes.toString().split('\n')) if (line !== '') records.push(JSON.parse(line))
      done(undefined, bytes.length)
    },
    close() {},
  }
}

export interface TestApp extends AsyncDisposable {
  readonly address: HostPort
  readonly server: Server
  readonly requests: IncomingMessage[]
}

/** The service behind the sidecar: a plain node:http server. */
export async function startTestApp(
  answer: (request: IncomingMessage, response: ServerResponse) => void = (request, response) => {
    request.resume().once('end', () => response.end('from the app'))
  },
): Promise<TestApp> {
  const requests: IncomingMessage[] = []
  const server = createServer((request, response) => {
    requests.push(request)
    answer(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { address, port } = server.address() as AddressInfo
  return {
    address: { host: address, port },
    server,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export interface TestInbound extends AsyncDisposable {
  readonly authority: TestAuthority
  readonly svid: WatchSource<X509Svid>
  readonly bundles: WatchSource<BundleSource>
  readonly policy: PolicyStore
  readonly listener: TrafficListener
  readonly address: HostPort
  readonly metrics: Metrics
  readonly logger: ReturnType<typeof createRecordingLogger>
  /** All access records so far, flushed first. */
  records(): Promise<Record<string, unknown>[]>
}

/**
 * The inbound side of the service accounts, before `app`, unless told otherwise with the shipped policy: /gateway may
 * GET /accounts/{id}, /support-portal may nothing.
 */
export async function startTestInbound(
  app: HostPort,
  options: Partial<InboundOptions> & {
    readonly policy?: Buffer | 'none'
    readonly clock?: Clock
    readonly authority?: TestAuthority
  } = {},
): Promise<TestInbound> {
  const { authority = createTestAuthority('bank.test'), clock = systemClock, policy: bundle, ...rest } = options
  const svid = createWatch(authority.issueSvid('/accounts'))
  const bundles = createWatch<BundleSource>(authority.bundles)
  const policy = createPolicyStore()
  if (bundle !== 'none') await policy.activate(bundle ?? (await readShippedBundle()))
  const metrics = createMetrics()
  const logger = createRecordingLogger()
  const sink = createMemorySink()
  let accessLog: AccessLog = await createAccessLog({ kind: 'stdout' }, { clock, logger, metrics }, () => sink)
  const relay: AccessLog = {
    request: (record) => accessLog.request(record),
    refusal: (record) => accessLog.refusal(record),
    [Symbol.asyncDispose]: () => accessLog[Symbol.asyncDispose](),
  }
  const listener = await startInbound(
    { clock, random: systemRandom, logger, metrics: createTrafficMetrics(metrics), accessLog: relay },
    { svid, bundles, policy, endpoints: createWatch<Endpoints>({ services: [] }) },
    { listen: { host: '127.0.0.1', port: 0 }, app, service: () => 'accounts', ...rest },
  )
  return {
    authority,
    svid,
    bundles,
    policy,
    listener,
    address: listener.address,
    metrics,
    logger,
    async records() {
      await accessLog[Symbol.asyncDispose]()
      accessLog = await createAccessLog({ kind: 'stdout' }, { clock, logger, metrics }, () => sink)
      return sink.records
    },
    [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose](),
  }
}

export interface Reply {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export interface CallOptions {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  readonly agent?: Agent
}

/** An agent that speaks as `svid` and keeps one connection. */
export function createTestAgent(svid: X509Svid): Agent {
  return new Agent({ ...toSecureContextOptions(svid), rejectUnauthorized: false, keepAlive: true, maxSockets: 1 })
}

/** One HTTPS request with an agent of `createTestAgent`. */
export async function call(
  { host, port }: HostPort,
  agent: Agent,
  { method = 'GET', path = '/accounts/42', headers = {}, body }: CallOptions = {},
): Promise<Reply> {
  const request = httpsRequest({ host, port, agent, method, path, headers: { host: 'accounts.mesh', ...headers } })
  request.end(body)
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString() }
}
