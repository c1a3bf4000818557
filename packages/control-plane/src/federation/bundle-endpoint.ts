import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { SecureContextOptions } from 'node:tls'
import type { TrustBundle, X509Svid } from '@picket/identity'
import {
  codeOf,
  formatHostPort,
  messageOf,
  type Clock,
  type HostPort,
  type Logger,
  type Metrics,
  type Tasks,
  type Watch,
} from '@picket/runtime'
import { followFiles } from './bundle-endpoint-certificate.ts'
import { answerEndpoint, createEndpointDocuments } from './bundle-endpoint-documents.ts'
import { followSvid, type EndpointProof } from './bundle-endpoint-svid.ts'
import { ControlPlaneError } from '../error.ts'
import type { ControlPlaneSettings } from '../settings.ts'

/**
 * Where other trust domains fetch our bundle (SPIFFE_Federation.md section 5, rules 69 and 72). Anybody may ask, and
 * nobody is asked who they are: what is here is public. So everything that a stranger can use up is bounded: connections,
 * their life, the bytes of a request and the time for it.
 */
export interface BundleEndpoint extends AsyncDisposable {
  /** As really bound. */
  readonly address: HostPort
}

export interface BundleEndpointDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly tasks: Tasks
  readonly svid: Watch<X509Svid>
  readonly bundle: Watch<TrustBundle>
}

export type BundleEndpointSettings = Pick<
  ControlPlaneSettings,
  'bundleEndpointProfile' | 'bundleEndpointCertificate' | 'bundleEndpointKey' | 'jwtIssuer'
>

const LIMITS = {
  handshakeTimeout: 5000,
  headersTimeout: 5000,
  requestTimeout: 5000,
  keepAliveTimeout: 5000,
  connectionsCheckingInterval: 1000,
  maxHeaderSize: 8192,
} as const
const MAX_CONNECTIONS = 512
const MAX_REQUESTS_PER_CONNECTION = 100
/** A client that reads or writes as slowly as it can is cut off; what is served here takes no second. */
const CONNECTION_LIFE_MS = 30_000

/** Undefined when the settings want none. Throws as `startBundleEndpoint` does. */
export async function openBundleEndpoint(
  deps: BundleEndpointDeps,
  settings: BundleEndpointSettings & Pick<ControlPlaneSettings, 'bundleEndpoint'>,
): Promise<BundleEndpoint | undefined> {
  if (settings.bundleEndpoint) return startBundleEndpoint(deps, settings.bundleEndpoint, settings)
  if (settings.bundleEndpointCertificate === undefined && settings.bundleEndpointKey === undefined) return undefined
  throw misfit('there is a certificate for it and no --bundle-endpoint HOST:PORT')
}

/** Throws `ERR_BUNDLE_ENDPOINT`, `ERR_PORT_IN_USE` or `ERR_LISTEN`. */
export async function startBundleEndpoint(
  deps: BundleEndpointDeps,
  address: HostPort,
  settings: BundleEndpointSettings,
): Promise<BundleEndpoint> {
  const proof = await proofOf(deps, settings)
  let documents = createEndpointDocuments(deps.bundle.value, settings.jwtIssuer)
  const count = requestCounter(deps.metrics)
  const server = createTlsServer(proof.context.value, (request, response) => {
    const { method, url, headers } = request
    const {
      status,
      headers: fields,
      body,
    } = answerEndpoint(documents, {
      method,
      url,
      ifNoneMatch: headers['if-none-match'],
    })
    count(status)
    response.writeHead(status, fields).end(body)
  })
  const open = trackConnections(server, deps.clock)
  await listen(server, address)
  server.on('error', (error) => deps.logger.error('bundle endpoint failed', { error: error.message }))
  const subscriptions = [
    proof,
    proof.context.subscribe((changed) => server.setSecureContext(changed)),
    deps.bundle.subscribe((changed) => void (documents = createEndpointDocuments(changed, settings.jwtIssuer))),
  ]
  const bound = server.address() as AddressInfo
  const served = { host: bound.address, port: bound.port }
  const { bundleEndpointProfile: profile, jwtIssuer } = settings
  deps.logger.info('bundle endpoint serves', { listen: formatHostPort(served), profile, jwtIssuer: jwtIssuer?.url })
  return {
    address: served,
    async [Symbol.asyncDispose]() {
      for (const subscription of subscriptions) subscription[Symbol.dispose]()
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of open) socket.destroy()
      await closed
    },
  }
}

async function proofOf(deps: BundleEndpointDeps, settings: BundleEndpointSettings): Promise<EndpointProof> {
  const { bundleEndpointProfile: profile, bundleEndpointCertificate: certificate, bundleEndpointKey: key } = settings
  if (profile === 'https_web') {
    if (certificate !== undefined && key !== undefined) {
      return { context: await followFiles(deps, { certificate, key }), [Symbol.dispose]() {} } // its task is the control plane's
    }
    throw misfit('https_web needs --bundle-endpoint-certificate and --bundle-endpoint-key')
  }
  if (certificate === undefined && key === undefined) return followSvid(deps)
  throw misfit('a certificate file is for --bundle-endpoint-profile https_web')
}

function misfit(why: string): ControlPlaneError {
  return new ControlPlaneError('ERR_BUNDLE_ENDPOINT', `the bundle endpoint cannot start: ${why}`)
}

function createTlsServer(
  context: SecureContextOptions,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Server {
  const options = { ...context, ...LIMITS, requestCert: false, ALPNProtocols: ['http/1.1'] }
  const server = createServer(options, answer)
  server.maxRequestsPerSocket = MAX_REQUESTS_PER_CONNECTION
  return server
}

/**
 * Those that are open, handshakes included; none of them for long. When there are too many, the oldest makes room: who has
 * come to fetch is done in milliseconds, who has come to sit is not.
 */
function trackConnections(server: Server, clock: Clock): ReadonlySet<Socket> {
  const open = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    const [oldest] = open
    if (oldest && open.size >= MAX_CONNECTIONS) {
      open.delete(oldest)
      oldest.destroy()
    }
    open.add(socket)
    const end = clock.after(CONNECTION_LIFE_MS, () => void socket.destroy())
    socket.once('close', () => {
      open.delete(socket)
      end[Symbol.dispose]()
    })
    socket.on('error', () => {}) // reset by the peer: it is closed, which is all there is to it
  })
  return open
}

function requestCounter(metrics: Metrics): (status: number) => void {
  const help = 'Requests to the bundle endpoint, by the status of the answer'
  return (status) => metrics.counter('picket_bundle_endpoint_requests_total', help, { status: String(status) }).add()
}

function listen(server: Server, address: HostPort): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (cause: Error): void => {
      const inUse = codeOf(cause) === 'EADDRINUSE'
      const why = inUse ? 'the port is in use' : messageOf(cause)
      const message = `bundle endpoint: cannot listen on ${formatHostPort(address)}: ${why}`
      reject(new ControlPlaneError(inUse ? 'ERR_PORT_IN_USE' : 'ERR_LISTEN', message, { cause }))
    }
    server.once('error', onError)
    server.listen(address, () => {
      server.off('error', onError)
      resolve()
    })
  })
}
