import {
  connect,
  constants,
  type ClientHttp2Session,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
  type OutgoingHttpHeaders,
} from 'node:http2'
import { connect as connectSocket } from 'node:net'

/** gRPC by hand on a Unix socket: any path, any headers, any bytes. */
export interface WireAnswer {
  /** `grpc-status`, or `http NNN`, or how the stream ended. */
  readonly status: string
  readonly message: string
  /** Messages, without their frames. */
  readonly messages: readonly Buffer[]
}

export interface WireCall {
  readonly path: string
  readonly headers?: OutgoingHttpHeaders
  /** What is sent, frames and all. */
  readonly body?: Buffer
  /** Stop listening after so many messages; 1 unless told. */
  readonly until?: number
}

const TIMEOUT_MS = 5000

export function openWire(socket: string): ClientHttp2Session {
  const session = connect('http://localhost', { createConnection: () => connectSocket(socket) })
  session.on('error', () => {})
  return session
}

export function callWire(
  session: ClientHttp2Session,
  { path, headers, body, until = 1 }: WireCall,
): Promise<WireAnswer> {
  return new Promise((resolve) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    })
    let status = ''
    let message = ''
    let received = Buffer.alloc(0)
    const read = (given: IncomingHttpHeaders & IncomingHttpStatusHeader): void => {
      const { ':status': http, 'grpc-status': code, 'grpc-message': text } = given
      if (http !== undefined && http !== 200) status ||= `http ${http}`
      if (typeof code === 'string') status ||= code
      if (typeof text === 'string') message ||= decodeURIComponent(text)
    }
    stream.on('response', read)
    stream.on('trailers', read)
    stream.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      if (unframe(received).length >= until && until > 0) stream.close(constants.NGHTTP2_CANCEL)
    })
    stream.on('error', (error) => (status ||= `reset ${error.message}`))
    stream.setTimeout(TIMEOUT_MS, () => {
      status ||= 'no answer'
      stream.close(constants.NGHTTP2_CANCEL)
    })
    stream.on('close', () => resolve({ status: status || 'ok', message, messages: unframe(received) }))
    stream.end(body ?? frame(Buffer.alloc(0)))
  })
}

export function frame(message: Buffer, flag = 0, length = message.length): Buffer {
  const head = Buffer.alloc(5)
  head[0] = flag
  head.writeUInt32BE(length, 1)
  return Buffer.concat([head, message])
}

function unframe(bytes: Buffer): Buffer[] {
  const messages: Buffer[] = []
  for (let at = 0; at + 5 <= bytes.length;) {
    const end = at + 5 + bytes.readUInt32BE(at + 1)
    if (end > bytes.length) break
    messages.push(bytes.subarray(at + 5, end))
    at = end
  }
  return messages
}

/** A protocol-buffer field of bytes or text. */
export function field(number: number, value: string | Buffer): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 128) return Buffer.from([...bytes, rest])
    bytes.push((rest & 127) | 128)
  }
}
