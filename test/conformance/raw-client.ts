import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { connect, type TLSSocket } from 'node:tls'
import type { WorkloadFiles } from '../support/certs.ts'

/** What came back on one connection. */
export interface Conversation {
  readonly answers: readonly Answer[]
  /** True when the other side ended the connection. */
  readonly closed: boolean
  /** The client's own address, by which access records name it. */
  readonly peer: string
}

export interface Answer {
  readonly status: number
  /** Lower-case names; a repeated one keeps its last value. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface RawCall {
  readonly port: number
  readonly caller: WorkloadFiles
  /** `latin1` text, written in these pieces, each a packet of its own. */
  readonly pieces: readonly string[]
  /** Final answers to wait for; the other side closing ends the wait too. */
  readonly answers: number
  /** Answers to HEAD announce a body that does not come. */
  readonly bodiless?: boolean
  readonly timeoutMs?: number
}

/** Long enough for an answer or a request too many to show itself. */
const QUIET_MS = 25

/** Opens a mutual-TLS connection, writes the bytes as they are, and reads what comes back. */
export async function converse(call: RawCall): Promise<Conversation> {
  const socket = await dial(call)
  const peer = `${socket.localAddress}:${socket.localPort}`
  let received = ''
  let closed = false
  socket.setEncoding('latin1')
  socket.on('data', (piece: string) => (received += piece))
  socket.on('end', () => (closed = true))
  socket.on('error', () => (closed = true))
  const parsed = (): Answer[] => parseAnswers(received, call.bodiless ?? false)
  const isOver = (): boolean => closed || parsed().filter(({ status }) => status >= 200).length >= call.answers
  for (const piece of call.pieces) {
    if (closed) break
    socket.write(piece, 'latin1')
    if (call.pieces.length > 1) await pause(1)
  }
  const deadline = performance.now() + (call.timeoutMs ?? 5_000)
  while (!isOver() && performance.now() < deadline) await pause(1)
  await pause(QUIET_MS)
  socket.destroy()
  return { answers: parsed(), closed, peer }
}

async function dial({ port, caller }: RawCall): Promise<TLSSocket> {
  const socket = connect({
    host: '127.0.0.1',
    port,
    cert: readFileSync(caller.svid),
    key: readFileSync(caller.key),
    ca: readFileSync(caller.bundle),
    checkServerIdentity: () => undefined,
    ALPNProtocols: ['http/1.1'],
    minVersion: 'TLSv1.3',
  })
  await once(socket, 'secureConnect')
  return socket.setNoDelay()
}

/** Complete answers at the front of the text; our sidecar and application always announce a length, or send no body. */
function parseAnswers(text: string, bodiless: boolean): Answer[] {
  const answers: Answer[] = []
  for (let at = 0; ;) {
    const headEnd = text.indexOf('\r\n\r\n', at)
    if (headEnd === -1) return answers
    const [statusLine = '', ...lines] = text.slice(at, headEnd).split('\r\n')
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1])
    const headers = Object.fromEntries(lines.map((line) => toField(line)))
    const length = bodiless || status < 200 ? 0 : Number(headers['content-length'] ?? 0)
    const bodyStart = headEnd + 4
    if (text.length < bodyStart + length) return answers
    at = bodyStart + length
    answers.push({ status, headers, body: text.slice(bodyStart, at) })
  }
}

function toField(line: string): [name: string, value: string] {
  const colon = line.indexOf(':')
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
}
