import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { parseHostPort } from '@picket/runtime'
import { createMeshClient, type MeshClient } from '../mesh/client.ts'
import { bank, type BankRoute, type BankService } from './bank.ts'

/**
 * One service of the bank as a process: `node service.ts NAME`. It listens on loopback at `APP_ADDRESS` and reaches the
 * others through its sidecar at `PICKET_OUTBOUND`.
 */
const BODY_LIMIT_BYTES = 64 * 1024

const name = process.argv[2] as BankService
const routes: readonly BankRoute[] = bank[name]
const mesh = createMeshClient(parseHostPort(process.env['PICKET_OUTBOUND'] ?? '127.0.0.1:7480'))

const server = createServer((request, response) => void serve(request, response, mesh))
server.keepAliveTimeout = 65_000
server.listen(parseHostPort(process.env['APP_ADDRESS'] ?? '127.0.0.1:8080'))
process.once('SIGTERM', () => server.close(() => process.exit(0)).closeIdleConnections())

async function serve(request: IncomingMessage, response: ServerResponse, client: MeshClient): Promise<void> {
  try {
    const answer = await route(request, client)
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body))
  } catch (thrown) {
    response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify({ error: String(thrown) }))
  }
}

async function route(request: IncomingMessage, client: MeshClient): Promise<{ status: number; body: unknown }> {
  const path = request.url ?? '/'
  if (path === '/health') return { status: 200, body: { service: name, healthy: true } }
  for (const { method, path: pattern, answer } of routes) {
    const match = pattern.exec(path)
    if (!match || method !== request.method) continue
    return answer({ params: match.slice(1), body: await readJson(request), mesh: client })
  }
  return { status: 404, body: { error: `${name} has no ${request.method} ${path}` } }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > BODY_LIMIT_BYTES) throw new Error(`bodies are limited to ${BODY_LIMIT_BYTES} bytes`)
    chunks.push(chunk)
  }
  return size === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString('utf8'))
}
