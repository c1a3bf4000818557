import { HIDDEN } from './http1-cases.ts'

/** Bytes that are well formed, however odd they look: what the client gets and what the application sees. */
export interface AcceptedCase {
  readonly name: string
  readonly pieces: readonly string[]
  /** Interim answers included. */
  readonly statuses: readonly number[]
  /** `METHOD target body` of each request that reaches the application. */
  readonly seen: readonly string[]
  readonly bodiless?: boolean
}

const HOST = 'Host: payments.mesh\r\n'
const GET = `GET /health HTTP/1.1\r\n${HOST}`
const POST = `POST /payments HTTP/1.1\r\n${HOST}`
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n\r\n`
const SEEN_GET = 'GET /health'

const one = (name: string, bytes: string, seen: string): AcceptedCase => ({
  name,
  pieces: [bytes],
  statuses: [200],
  seen: [seen],
})

export const ACCEPTED: readonly AcceptedCase[] = [
  one('a plain GET', `${GET}\r\n`, SEEN_GET),
  one(
    'a query with everything that may be in one',
    `GET /health?a=/../&b=%2e%2e%2f?;c=[x] HTTP/1.1\r\n${HOST}\r\n`,
    'GET /health?a=/../&b=%2e%2e%2f?;c=[x]',
  ),
  one('a header without a value', `${GET}X:\r\n\r\n`, SEEN_GET),
  one('white space around a value', `${GET}X: \t y \t\r\n\r\n`, SEEN_GET),
  one('bytes beyond ASCII in a value', `${GET}X: \xe9\xff\r\n\r\n`, SEEN_GET),
  one('a host with a port', 'GET /health HTTP/1.1\r\nHost: payments.mesh:8080\r\n\r\n', SEEN_GET),
  one('a host that is an address', 'GET /health HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n', SEEN_GET),
  one('90 headers', `${GET}${'X: y\r\n'.repeat(89)}\r\n`, SEEN_GET),
  one(
    'an upgrade that we do not speak',
    `${GET}Connection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n\r\n`,
    SEEN_GET,
  ),
  one('a body of known length', `${POST}Content-Length: 5\r\n\r\nhello`, 'POST /payments hello'),
  one('a length with leading zeros', `${POST}Content-Length: 005\r\n\r\nhello`, 'POST /payments hello'),
  one('a body of no length', `${POST}Content-Length: 0\r\n\r\n`, 'POST /payments'),
  one(
    'a request as the body of another',
    `${POST}Content-Length: ${HIDDEN.length}\r\n\r\n${HIDDEN}`,
    `POST /payments ${HIDDEN}`.trimEnd(),
  ),
  one(
    'a request as a chunk of another',
    `${CHUNKED}${HIDDEN.length.toString(16)}\r\n${HIDDEN}\r\n0\r\n\r\n`,
    `POST /payments ${HIDDEN}`.trimEnd(),
  ),
  one('chunks', `${CHUNKED}2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n`, 'POST /payments hello'),
  one(
    'chunks with sizes in either case',
    `${CHUNKED}A\r\nhellohello\r\na\r\nhellohello\r\n0\r\n\r\n`,
    `POST /payments ${'hello'.repeat(4)}`,
  ),
  one('chunks with extensions', `${CHUNKED}5;a=b;c="d e"\r\nhello\r\n0;last\r\n\r\n`, 'POST /payments hello'),
  one('chunks with trailers', `${CHUNKED}5\r\nhello\r\n0\r\nX-Digest: abc\r\n\r\n`, 'POST /payments hello'),
  one(
    'transfer-encoding in another case',
    `${POST}transfer-ENCODING: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
    'POST /payments hello',
  ),
  one('HTTP/1.0', `GET /health HTTP/1.0\r\n${HOST}\r\n`, SEEN_GET),
  one('HTTP/1.0 without a host', 'GET /health HTTP/1.0\r\n\r\n', SEEN_GET),
  one('a request that asks to close', `${GET}Connection: close\r\n\r\n`, SEEN_GET),
  { name: 'HEAD', pieces: [`HEAD /health HTTP/1.1\r\n${HOST}\r\n`], statuses: [403], seen: [], bodiless: true },
  { name: 'OPTIONS *', pieces: [`OPTIONS * HTTP/1.1\r\n${HOST}\r\n`], statuses: [403], seen: [] },
  { name: 'a head byte by byte', pieces: `${GET}X: y\r\n\r\n`.split(''), statuses: [200], seen: [SEEN_GET] },
  {
    name: 'a chunked body byte by byte',
    pieces: `${CHUNKED}5;x\r\nhello\r\n0\r\nX: y\r\n\r\n`.split(''),
    statuses: [200],
    seen: ['POST /payments hello'],
  },
  {
    name: 'a body in pieces',
    pieces: [`${POST}Content-Length: 5\r\n`, '\r\nhe', 'l', 'lo'],
    statuses: [200],
    seen: ['POST /payments hello'],
  },
  {
    name: 'three requests in one packet',
    pieces: [`${GET}\r\n`.repeat(3)],
    statuses: [200, 200, 200],
    seen: [SEEN_GET, SEEN_GET, SEEN_GET],
  },
  {
    name: 'a body and the next request in one packet',
    pieces: [`${POST}Content-Length: 5\r\n\r\nhello${GET}\r\n`],
    statuses: [200, 200],
    seen: ['POST /payments hello', SEEN_GET],
  },
  {
    name: 'chunks and the next request in one packet',
    pieces: [`${CHUNKED}5\r\nhello\r\n0\r\n\r\n${GET}\r\n`],
    statuses: [200, 200],
    seen: ['POST /payments hello', SEEN_GET],
  },
  {
    name: 'a denied request with a body, then a good one',
    pieces: [`POST /denied HTTP/1.1\r\n${HOST}Content-Length: ${HIDDEN.length}\r\n\r\n${HIDDEN}${GET}\r\n`],
    statuses: [403, 200],
    seen: [SEEN_GET],
  },
  {
    name: 'a denied request with chunks, then a good one',
    pieces: [`POST /denied HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n${GET}\r\n`],
    statuses: [403, 200],
    seen: [SEEN_GET],
  },
  {
    name: 'a good request, and refuses the bad one behind it',
    pieces: [`${GET}\r\nGET /health HTTP/1.1\nHost: x\n\n`],
    statuses: [200, 400],
    seen: [SEEN_GET],
  },
  {
    name: 'a body, and refuses the rubbish behind it',
    pieces: [`${POST}Content-Length: 5\r\n\r\nhello\0\0\r\n\r\n`],
    statuses: [200, 400],
    seen: ['POST /payments hello'],
  },
  {
    name: 'an expectation',
    pieces: [`${POST}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`, 'hello'],
    statuses: [100, 200],
    seen: ['POST /payments hello'],
  },
]
