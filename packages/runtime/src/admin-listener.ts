import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isLoopback, type HostPort } from './address.ts'
import { messageOf } from './error.ts'
import type { Logger } from './logger.ts'

/** What one path of the admin listener answers. */
export interface AdminAnswer {
  readonly status: number
  readonly contentType: string
  readonly body: string
}

export type AdminRoutes = Readonly<Record<string, () => AdminAnswer | Promise<AdminAnswer>>>

export interface AdminListener extends AsyncDisposable {
  readonly address: HostPort
}

const LIMITS = {
  connectionsCheckingInterval: 1000,
  headersTimeout: 5000,
  keepAliveTimeout: 30_000,
  maxHeaderSize: 8192,
  requestTimeout: 5000,
} as const
const MAX_CONNECTIONS = 64

/**
 * The loopback listener for health, metrics and a look inside. It reads only, takes no bodies, and answers only requests
 * that name a loopback host, so that a web page in somebody's browser cannot reach it by rebinding a DNS name. Rejects
 * with the system's error (`EADDRINUSE`) when it cannot listen.
 */
export async function startAdmin(
  deps: { readonly logger: Logger },
  options: { readonly address: HostPort; readonly routes: AdminRoutes },
): Promise<AdminListener> {
  const server = createServer(LIMITS, (request, response) => void answer(deps, options.routes, request, response))
  server.maxConnections = MAX_CONNECTIONS
  await listen(server, options.address)
  server.on('error', (error) => deps.logger.error('admin listener failed', { error: error.message }))
  const { address, port } = server.address() as AddressInfo
  return {
    address: { host: address, port },
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}

function listen(server: Server, address: HostPort): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(address, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

async function answer(
  { logger }: { readonly logger: Logger },
  routes: AdminRoutes,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const { status, contentType, body } = await select(routes, request)
    response.writeHead(status, { 'content-type': contentType, 'cache-control': 'no-store' })
    response.end(request.method === 'HEAD' ? undefined : body)
  } catch (thrown) {
    logger.error('admin request failed', { path: request.url, error: messageOf(thrown) })
    response.writeHead(500).end()
  }
}

function select(
  routes: AdminRoutes,
  { method, url = '/', headers }: IncomingMessage,
): AdminAnswer | Promise<AdminAnswer> {
  if (!isLoopback(hostOf(headers.host ?? ''))) return toText(421, 'ask by a loopback host name')
  if (method !== 'GET' && method !== 'HEAD') return toText(405, 'only GET and HEAD')
  const path = url.split('?', 1)[0] ?? '/'
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined
  return route ? route() : toText(404, `there are ${Object.keys(routes).join(' ')}`)
}

/** `127.0.0.1:7490` → `127.0.0.1`, `[::1]:7490` → `::1`. */
function hostOf(header: string): string {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:]*))(?::\d+)?$/.exec(header)
  return (match?.[1] ?? match?.[2] ?? '').toLowerCase()
}

export function toText(status: number, body: string): AdminAnswer {
  return { status, contentType: 'text/plain; charset=utf-8', body: `${body}\n` }
}

export function toJson(status: number, value: unknown): AdminAnswer {
  return { status, contentType: 'application/json', body: `${JSON.stringify(value, undefined, 2)}\n` }
}
