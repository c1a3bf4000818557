/** Heads as they leave: the kept ranges of the received bytes, copied as few runs, then our own lines. */
import { HttpError } from './error.ts'
import type { ForwardOptions } from './exchange.ts'
import type { HeaderFields } from './header-fields.ts'
import type { HeaderNameSet } from './header-name-set.ts'
import { LAST_HOP_BY_HOP, OTHER } from './known-headers.ts'
import { CRLF } from './octets.ts'
import type { OutputBuffer } from './output-buffer.ts'
import type { ScannedRequestHead } from './scanned-request-head.ts'
import type { ScannedResponseHead } from './response-head.ts'

const VERSION = Buffer.from('HTTP/1.1 ', 'latin1')
const SPACE = Buffer.from(' ', 'latin1')
const CONNECTION_CLOSE = Buffer.from('connection: close\r\n', 'latin1')
const CONNECTION_KEEP_ALIVE = Buffer.from('connection: keep-alive\r\n', 'latin1')
const TRANSFER_ENCODING_CHUNKED = Buffer.from('transfer-encoding: chunked\r\n', 'latin1')

/** What the response says about the client's connection; '' in HTTP/1.1 when it stays. */
export type ConnectionLine = '' | 'close' | 'keep-alive'

export function writeRequestHead(out: OutputBuffer, head: ScannedRequestHead, options: ForwardOptions): void {
  appendKept(out, head.bytes, head.start, head.fields, head.fieldsEnd, options.removeRequestHeaders)
  out.append(options.addRequestHeaders, 0, options.addRequestHeadersLength)
  out.append(CRLF)
}

export function writeResponseHead(
  out: OutputBuffer,
  head: ScannedResponseHead,
  connection: ConnectionLine,
  becomesChunked: boolean,
  remove?: HeaderNameSet,
  lines?: Buffer,
): void {
  let from = head.start
  if (head.minorVersion === 0 || head.reasonStart === head.start + 12) {
    out.append(VERSION)
    out.append(head.bytes, head.start + 9, head.start + 12)
    out.append(SPACE)
    from = head.reasonStart
  }
  appendKept(out, head.bytes, from, head.fields, head.fieldsEnd, remove)
  if (becomesChunked) out.append(TRANSFER_ENCODING_CHUNKED)
  if (connection !== '') out.append(connection === 'close' ? CONNECTION_CLOSE : CONNECTION_KEEP_ALIVE)
  if (lines !== undefined) out.append(lines)
  out.append(CRLF)
}

/** Start line and fields without the removed ones. Neighbours that are kept leave in one copy. */
function appendKept(
  out: OutputBuffer,
  bytes: Buffer,
  from: number,
  fields: HeaderFields,
  fieldsEnd: number,
  remove: HeaderNameSet | undefined,
): void {
  const { offsets, ids, hashes, count } = fields
  let keptFrom = from
  for (let i = 0; i < count; i++) {
    const id = ids[i]!
    const lineStart = offsets[4 * i]!
    const isHidden = id !== OTHER && id <= LAST_HOP_BY_HOP
    if (!isHidden && (remove === undefined || remove.idOf(bytes, lineStart, offsets[4 * i + 1]!, hashes[i]!) === 0))
      continue
    if (lineStart > keptFrom) out.append(bytes, keptFrom, lineStart)
    keptFrom = i + 1 < count ? offsets[4 * i + 4]! : fieldsEnd
  }
  if (fieldsEnd > keptFrom) out.append(bytes, keptFrom, fieldsEnd)
}

/** An answer of our own. Throws `ERR_HTTP_INVALID_HEADER` instead of sending a header that is none. */
export function writeOwnResponse(
  out: OutputBuffer,
  status: number,
  headers: readonly (readonly [string, string])[],
  body: string | Buffer,
  connection: ConnectionLine,
  isToHead: boolean,
): void {
  let text = `HTTP/1.1 ${status} ${REASONS[status] ?? ''}\r\n`
  for (const [name, value] of headers) {
    if (!HEADER_NAME.test(name) || !HEADER_VALUE.test(value)) throw invalidHeader(name)
    text += `${name}: ${value}\r\n`
  }
  const isBodiless = status === 204 || status === 304
  if (!isBodiless) text += `content-length: ${typeof body === 'string' ? Buffer.byteLength(body) : body.length}\r\n`
  out.appendText(connection === '' ? `${text}\r\n` : `${text}connection: ${connection}\r\n\r\n`)
  if (!isBodiless && !isToHead) out.append(typeof body === 'string' ? Buffer.from(body) : body)
}

const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

function invalidHeader(name: string): HttpError {
  return new HttpError('ERR_HTTP_INVALID_HEADER', `header cannot be sent: ${JSON.stringify(name)}`)
}

const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  204: 'No Content',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Content Too Large',
  414: 'URI Too Long',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
}
