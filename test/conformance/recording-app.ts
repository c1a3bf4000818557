import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request as the application behind a sidecar understood it. */
export interface SeenRequest {
  readonly method: string
  readonly target: string
  /** Name, value, name, value, … as received. */
  readonly rawHeaders: readonly string[]
  readonly trailers: Readonly<Record<string, string | undefined>>
  readonly body: string
  /** False while the body is incomplete, and for ever when it was cut off. */
  readonly isComplete: boolean
}

export interface RecordingApp extends AsyncDisposable {
  readonly port: number
  readonly seen: readonly SeenRequest[]
  /** Connections on which it could not make sense of what came. */
  readonly confusions: readonly string[]
}

/**
 * Writes down every request that reaches it and answers 200. It reads with Node's lenient parser on purpose: what
 * smuggles a request past a sidecar lives from an application that is less strict.
 */
export async function startRecordingApp(): Promise<RecordingApp> {
  const seen: SeenRequest[] = []
  const confusions: string[] = []
  const server = createServer({ insecureHTTPParser: true, keepAliveTimeout: 60_000 }, (request, response) => {
    const index = seen.push(toSeen(request, '')) - 1
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('error', () => undefined)
    request.on('end', () => {
      seen[index] = toSeen(request, Buffer.concat(pieces).toString('latin1'))
      response.end(`served ${request.method} ${request.url}`)
    })
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code !== 'ECONNRESET') confusions.push(error.message)
    socket.destroy()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    confusions,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

function toSeen(request: IncomingMessage, body: string): SeenRequest {
  const { method = '', url: target = '', rawHeaders, trailers, complete: isComplete } = request
  return { method, target, rawHeaders, trailers: { ...trailers }, body, isComplete }
}
