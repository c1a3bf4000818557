import { request, type IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { messageOf, type Clock } from '@picket/runtime'
import { connectEndpoint, toFailure, type EndpointProof } from './federation-connection.ts'
import { failFetch, type FetchFailure } from './federation-failure.ts'
import { parseEndpointUrl } from './federation-relationship.ts'

export interface FetchedDocument {
  readonly kind: 'fetched'
  readonly body: Buffer
}

export interface FetchOptions {
  /** 0 = redirects are refused. */
  readonly maxRedirects: number
  /** For all of it: names, connections, redirects, the last byte. */
  readonly timeoutMs: number
  readonly maxBytes: number
}

interface FetchDeps {
  readonly clock: Pick<Clock, 'after'>
  readonly userAgent: string
}

/**
 * GETs one document. Each connection on the way proves itself as the first has to (rules 73, 74), no redirect is
 * remembered, and size and time of the whole are bounded. Never rejects on what the other side does; a signal that aborts
 * ends it as `unreachable`.
 */
export async function fetchDocument(
  { clock, userAgent }: FetchDeps,
  url: URL,
  proof: EndpointProof,
  options: FetchOptions,
  signal: AbortSignal,
): Promise<FetchedDocument | FetchFailure> {
  const limit = new AbortController()
  using _timer = clock.after(options.timeoutMs, () => limit.abort())
  const ended = AbortSignal.any([signal, limit.signal])
  const outcome = await follow(url, proof, { ...options, userAgent }, ended)
  if (outcome.kind === 'fetched' || !limit.signal.aborted) return outcome
  return failFetch('timeout', `there was no answer within ${options.timeoutMs} ms`)
}

async function follow(
  url: URL,
  proof: EndpointProof,
  options: FetchOptions & { readonly userAgent: string },
  signal: AbortSignal,
): Promise<FetchedDocument | FetchFailure> {
  let target = url
  for (let redirects = 0; ; redirects++) {
    const connected = await connectEndpoint(target, proof, signal)
    if (connected.kind === 'failed') return connected
    const answer = await ask(connected.socket, target, options)
    if (answer.kind !== 'moved') return answer
    if (redirects === options.maxRedirects) return failFetch('redirect', tooMany(redirects))
    try {
      target = parseEndpointUrl(new URL(answer.location, target).href)
    } catch (thrown) {
      return failFetch('redirect', `it leads to "${answer.location.slice(0, 200)}": ${messageOf(thrown)}`)
    }
  }
}

function tooMany(redirects: number): string {
  return redirects === 0 ? 'it is a redirect, and redirects are refused here' : `more than ${redirects} redirects`
}

type Answer = FetchedDocument | FetchFailure | { readonly kind: 'moved'; readonly location: string }

/** One request on a connection of its own, which is closed with it. */
async function ask(
  socket: TLSSocket,
  url: URL,
  { maxBytes, userAgent }: { readonly maxBytes: number; readonly userAgent: string },
): Promise<Answer> {
  try {
    return await new Promise<Answer>((resolve) => {
      const asked = request({
        createConnection: () => socket,
        path: `${url.pathname}${url.search}`,
        headers: { host: url.host, accept: 'application/json', 'user-agent': userAgent, connection: 'close' },
        maxHeaderSize: 16_384,
      })
      let answered = false
      asked.on('error', (error) => (answered ? undefined : resolve(toFailure(error))))
      asked.on('close', () => {
        if (!answered) resolve(failFetch('unreachable', 'the connection ended before an answer came'))
      })
      asked.on('response', (response) => {
        answered = true
        void read(response, maxBytes).then(resolve)
      })
      asked.end()
    })
  } finally {
    socket.destroy()
  }
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

async function read(response: IncomingMessage, maxBytes: number): Promise<Answer> {
  const { statusCode = 0, headers } = response
  const { location } = headers
  if (REDIRECTS.has(statusCode) && location !== undefined) return { kind: 'moved', location }
  if (statusCode !== 200) return failFetch('status', `it answers ${statusCode}`)
  const encoding = headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity') return failFetch('malformed', 'it is compressed, which was not asked for')
  const tooLarge = failFetch('too-large', `it is larger than ${maxBytes} bytes`)
  if (Number(headers['content-length'] ?? 0) > maxBytes) return tooLarge
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > maxBytes) return tooLarge
      chunks.push(chunk)
    }
  } catch (thrown) {
    return toFailure(thrown)
  }
  return { kind: 'fetched', body: Buffer.concat(chunks, bytes) }
}
