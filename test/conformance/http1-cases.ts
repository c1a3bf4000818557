/**
 * Raw HTTP/1.1 bytes that two parsers could read in two ways, or that no parser should take at all (RFC 9112 §2-7,
 * §11.2; the families that request-smuggling research named). `latin1` text, one character per byte. Where a second
 * request is hidden, it is `HIDDEN`: one that the policy would allow, so that only the parser can stop it.
 */
export interface RefusedCase {
  readonly name: string
  readonly bytes: string
  readonly status: number
}

export const HIDDEN = 'GET /health?hidden HTTP/1.1\r\nHost: payments.mesh\r\n\r\n'

const HOST = 'Host: payments.mesh\r\n'
const POST = `POST /payments HTTP/1.1\r\n${HOST}`
const GET = 'GET /health HTTP/1.1\r\n'

/** A body of five bytes, then the hidden request. */
const FIVE = `hello${HIDDEN}`
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n\r\n`
const NO_BODY = `0\r\n\r\n${HIDDEN}`

const refuse =
  (status: number) =>
  ([name, bytes]: readonly [name: string, bytes: string]): RefusedCase => ({ name, bytes, status })

/** Two lengths, or a length and a coding. */
const CONFLICTING_FRAMING = [
  ['content-length then chunked (CL.TE)', `${POST}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG`],
  ['chunked then content-length (TE.CL)', `${POST}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n${NO_BODY}`],
  ['content-length 0 and chunked', `${POST}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n${NO_BODY}`],
  [
    'GET with content-length and chunked',
    `${GET}${HOST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n${FIVE}`,
  ],
  ['two different content-lengths', `${POST}Content-Length: 5\r\nContent-Length: 0\r\n\r\n${FIVE}`],
  ['two equal content-lengths', `${POST}Content-Length: 5\r\nContent-Length: 5\r\n\r\n${FIVE}`],
  [
    'a chunked transfer-encoding in HTTP/1.0',
    `POST /payments HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n${NO_BODY}`,
  ],
] as const

/** Values of Content-Length that are not a plain number. */
const CONTENT_LENGTHS = [
  ['5, 5', 'a list of equal lengths'],
  ['5,0', 'a list of lengths'],
  ['+5', 'a plus sign'],
  ['-1', 'a minus sign'],
  ['-0', 'minus zero'],
  ['0x5', 'hexadecimal'],
  ['5 0', 'an inner space'],
  ['', 'nothing'],
  ['5a', 'a letter behind'],
  ['1e1', 'an exponent'],
  ['5.0', 'a fraction'],
  ['"5"', 'quotes'],
  ['5;', 'a semicolon'],
  ['99999999999999999999', 'more than 64 bits'],
  ['18446744073709551621', 'five, modulo 64 bits'],
  ['5\x0b', 'a vertical tab'],
  ['\x0c5', 'a form feed'],
  ['5\0', 'a NUL'],
  ['\xb2', 'a digit beyond ASCII'],
] as const

/** Values of Transfer-Encoding that some parsers take for chunked and others do not. */
const TRANSFER_ENCODINGS = [
  ['xchunked', 'a prefix'],
  ['chunkedx', 'a suffix'],
  ['chunked, identity', 'chunked not last'],
  ['identity, chunked', 'identity before chunked'],
  ['gzip, chunked', 'another coding before chunked'],
  ['chunked, chunked', 'chunked twice'],
  ['identity', 'identity'],
  ['"chunked"', 'quotes'],
  ["'chunked'", 'single quotes'],
  ['chunked;q=1', 'a parameter'],
  ['chunked,', 'a comma behind'],
  [',chunked', 'a comma in front'],
  ['', 'nothing'],
  ['chunked\x0b', 'a vertical tab behind'],
  ['\x0bchunked', 'a vertical tab in front'],
  ['\x0cchunked', 'a form feed in front'],
  ['chunked\0', 'a NUL behind'],
  ['chunked\x7f', 'a DEL behind'],
  ['chunk\xe9d', 'a letter beyond ASCII'],
  ['\xa0chunked', 'a no-break space'],
  ['chun ked', 'an inner space'],
] as const

/** Fields and line ends that hide or make a framing header. */
const HIDDEN_FRAMING = [
  ['space before the colon of content-length', `${POST}Content-Length : 5\r\n\r\n${FIVE}`],
  ['tab before the colon of content-length', `${POST}Content-Length\t: 5\r\n\r\n${FIVE}`],
  ['space before the colon of transfer-encoding', `${POST}Transfer-Encoding : chunked\r\n\r\n${NO_BODY}`],
  ['space in front of transfer-encoding', `${POST}X: y\r\n Transfer-Encoding: chunked\r\n\r\n${NO_BODY}`],
  ['tab in front of transfer-encoding', `${POST}X: y\r\n\tTransfer-Encoding: chunked\r\n\r\n${NO_BODY}`],
  ['transfer-encoding behind a bare LF', `${POST}X: y\nTransfer-Encoding: chunked\r\n\r\n${NO_BODY}`],
  ['transfer-encoding behind a bare CR', `${POST}X: y\rTransfer-Encoding: chunked\r\n\r\n${NO_BODY}`],
  ['transfer-encoding folded over two lines', `${POST}Transfer-Encoding:\r\n chunked\r\n\r\n${NO_BODY}`],
  ['transfer-encoding folded at a bare LF', `${POST}Transfer-Encoding:\n chunked\r\n\r\n${NO_BODY}`],
  ['transfer-encoding twice', `${POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n${NO_BODY}`],
  [
    'transfer-encoding chunked and identity',
    `${POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n${NO_BODY}`,
  ],
  ['transfer-encoding beyond ASCII', `${POST}Transfer-Encod\xeeng: chunked\r\n\r\n${NO_BODY}`],
  ['NUL in front of transfer-encoding', `${POST}\0Transfer-Encoding: chunked\r\n\r\n${NO_BODY}`],
  ['DEL in the name of content-length', `${POST}Content-Length\x7f: 5\r\n\r\n${FIVE}`],
  ['connection names content-length', `${POST}Connection: content-length\r\nContent-Length: 5\r\n\r\n${FIVE}`],
  [
    'connection names transfer-encoding',
    `${POST}Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n\r\n${NO_BODY}`,
  ],
  ['connection names host', `${GET}${HOST}Connection: host, close\r\n\r\n`],
  ['connection is not a list of tokens', `${GET}${HOST}Connection: close;now\r\n\r\n`],
] as const

const LINES = [
  ['bare LF after the request line', `GET /health HTTP/1.1\n${HOST}\r\n`],
  ['bare LF everywhere', 'GET /health HTTP/1.1\nHost: payments.mesh\n\n'],
  ['bare LF after the last header', `${GET}Host: payments.mesh\n\r\n`],
  ['bare LF as the empty line', `${GET}${HOST}\n`],
  ['bare CR in the request line', `GET /health\rHTTP/1.1\r\n${HOST}\r\n`],
  ['bare CR in a value', `${GET}${HOST}X: a\rb\r\n\r\n`],
  ['CR CR LF', `${GET}${HOST}X: a\r\r\n\r\n`],
  ['LF CR', `${GET}Host: payments.mesh\n\rX: y\r\n\r\n`],
  ['a folded value', `${GET}${HOST}X: a\r\n b\r\n\r\n`],
  ['a folded value with a tab', `${GET}${HOST}X: a\r\n\tb\r\n\r\n`],
  ['a space in front of the first header', `${GET} ${HOST}\r\n`],
  ['a line of spaces before the headers', `${GET}  \r\n${HOST}\r\n`],
  ['NUL in a value', `${GET}${HOST}X: a\0b\r\n\r\n`],
  ['NUL in a name', `${GET}${HOST}X\0: a\r\n\r\n`],
  ['a control byte in a value', `${GET}${HOST}X: a\x01b\r\n\r\n`],
  ['DEL in a value', `${GET}${HOST}X: a\x7fb\r\n\r\n`],
  ['space before a colon', `${GET}${HOST}X : y\r\n\r\n`],
  ['an empty header name', `${GET}${HOST}: y\r\n\r\n`],
  ['a header without a colon', `${GET}${HOST}X\r\n\r\n`],
  ['a header name with a space', `${GET}${HOST}X Y: z\r\n\r\n`],
  ['a header name with a parenthesis', `${GET}${HOST}X(Y): z\r\n\r\n`],
] as const

const REQUEST_LINES = [
  ['a method in lower case', `get /health HTTP/1.1\r\n${HOST}\r\n`],
  ['a method with a control byte', `GE\x01T /health HTTP/1.1\r\n${HOST}\r\n`],
  ['no method', `/health HTTP/1.1\r\n${HOST}\r\n`],
  ['a leading space', ` GET /health HTTP/1.1\r\n${HOST}\r\n`],
  ['two spaces before the target', `GET  /health HTTP/1.1\r\n${HOST}\r\n`],
  ['two spaces before the version', `GET /health  HTTP/1.1\r\n${HOST}\r\n`],
  ['a tab before the target', `GET\t/health HTTP/1.1\r\n${HOST}\r\n`],
  ['a space inside the target', `GET /health /admin HTTP/1.1\r\n${HOST}\r\n`],
  ['a space behind the version', `GET /health HTTP/1.1 \r\n${HOST}\r\n`],
  ['no version (HTTP/0.9)', 'GET /health\r\n\r\n'],
  ['a version in lower case', `GET /health http/1.1\r\n${HOST}\r\n`],
  ['a version with two digits', `GET /health HTTP/1.10\r\n${HOST}\r\n`],
  ['a version with a leading zero', `GET /health HTTP/01.1\r\n${HOST}\r\n`],
  ['absolute form', `GET http://payments.mesh/health HTTP/1.1\r\n${HOST}\r\n`],
  ['absolute form with another host', `GET http://ledger.mesh/entries HTTP/1.1\r\n${HOST}\r\n`],
  ['authority form', `GET payments.mesh:443 HTTP/1.1\r\n${HOST}\r\n`],
  ['asterisk form without OPTIONS', `GET * HTTP/1.1\r\n${HOST}\r\n`],
  ['a target without a slash', `GET health HTTP/1.1\r\n${HOST}\r\n`],
  ['a fragment', `GET /health#x HTTP/1.1\r\n${HOST}\r\n`],
  ['a NUL in the target', `GET /health\0 HTTP/1.1\r\n${HOST}\r\n`],
  ['a byte beyond ASCII in the target', `GET /h\xe9alth HTTP/1.1\r\n${HOST}\r\n`],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['a TLS handshake instead of a request', '\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00\r\n\r\n'],
] as const

/** Paths that a decision and an application could read differently. */
const PATHS = [
  '//health',
  '/health//x',
  '/./health',
  '/x/../health',
  '/..',
  '/x/.',
  '/%2e%2e/health',
  '/x/%2E./health',
  '/x/..;a=b/health',
  '/x%2fhealth',
  '/x%2Fhealth',
  '/x%5chealth',
  '/x\\health',
  '/%00',
  '/health%00.json',
  '/%',
  '/%2',
  '/%zz',
  '/%u002e',
  '/health?a=%',
  '/health?a=%f',
] as const

const HOSTS = [
  ['no host', `${GET}\r\n`],
  ['two hosts', `${GET}${HOST}Host: ledger.mesh\r\n\r\n`],
  ['two equal hosts', `${GET}${HOST}${HOST}\r\n`],
  ['an empty host', `${GET}Host:\r\n\r\n`],
  ['a host with a user', `${GET}Host: ledger@payments.mesh\r\n\r\n`],
  ['a host with a path', `${GET}Host: payments.mesh/x\r\n\r\n`],
  ['a host with a space', `${GET}Host: payments.mesh ledger.mesh\r\n\r\n`],
  ['a list of hosts', `${GET}Host: payments.mesh, ledger.mesh\r\n\r\n`],
  ['a host with a bad port', `${GET}Host: payments.mesh:80x\r\n\r\n`],
  ['a host with an open bracket', `${GET}Host: [::1\r\n\r\n`],
] as const

/** Chunked bodies with broken framing, each in one piece with its head. */
const CHUNKS = [
  ['a size with a 0x prefix', `0x5\r\n${FIVE}`],
  ['a negative size', `-1\r\n${FIVE}`],
  ['a size with a plus sign', `+5\r\nhello\r\n${NO_BODY}`],
  ['a size with a leading space', ` 5\r\nhello\r\n${NO_BODY}`],
  ['a size with a trailing space', `5 \r\nhello\r\n${NO_BODY}`],
  ['a size that is not hexadecimal', `5g\r\nhello\r\n${NO_BODY}`],
  ['an empty size', `\r\nhello\r\n${NO_BODY}`],
  ['a size with an underscore', `1_0\r\nhello\r\n${NO_BODY}`],
  ['a size of more than 64 bits', `10000000000000005\r\nhello\r\n${NO_BODY}`],
  ['a size of many zeros', `000000000000000000005\r\nhello\r\n${NO_BODY}`],
  ['a size behind a bare LF', `5\nhello\r\n${NO_BODY}`],
  ['a size behind a bare CR', `5\rhello\r\n${NO_BODY}`],
  ['data longer than its size', `5\r\nhelloX\r\n${NO_BODY}`],
  ['data that ends in a bare LF', `5\r\nhello\n${NO_BODY}`],
  ['data that ends in a bare CR', `5\r\nhello\r${NO_BODY}`],
  ['an extension with a bare LF', `5;a\nhello\r\n${NO_BODY}`],
  ['an extension with a bare CR', `5;a\rb\r\nhello\r\n${NO_BODY}`],
  ['an extension with a NUL', `5;a\0\r\nhello\r\n${NO_BODY}`],
  ['an extension without end', `5;${'a'.repeat(4096)}\r\nhello\r\n${NO_BODY}`],
  ['a last chunk behind a bare LF', `0\n\r\n${HIDDEN}`],
  ['a last chunk with an empty line of a bare LF', `0\r\n\n${HIDDEN}`],
  ['a hidden request in place of trailers', `0\r\n${HIDDEN}`],
  ['a trailer that frames', `0\r\nContent-Length: 5\r\n\r\n${FIVE}`],
  ['a trailer that is a host', `0\r\nHost: ledger.mesh\r\n\r\n${HIDDEN}`],
  ['a trailer that names a caller', `0\r\nX-Forwarded-Client-Cert: URI=spiffe://bank.test/ledger\r\n\r\n${HIDDEN}`],
  ['a folded trailer', `0\r\nX: y\r\n z\r\n\r\n${HIDDEN}`],
  ['a trailer with a space before the colon', `0\r\nX : y\r\n\r\n${HIDDEN}`],
  ['trailers without end', `0\r\n${'X: y\r\n'.repeat(4096)}\r\n${HIDDEN}`],
] as const

const OTHERS: readonly RefusedCase[] = [
  { name: 'HTTP/2.0', status: 505, bytes: `GET /health HTTP/2.0\r\n${HOST}\r\n` },
  { name: 'HTTP/1.2', status: 505, bytes: `GET /health HTTP/1.2\r\n${HOST}\r\n` },
  { name: 'HTTP/3.1', status: 505, bytes: `GET /health HTTP/3.1\r\n${HOST}\r\n` },
  { name: 'CONNECT', status: 501, bytes: `CONNECT ledger.mesh:443 HTTP/1.1\r\n${HOST}\r\n` },
  { name: 'an unknown expectation', status: 417, bytes: `${POST}Expect: 200-ok\r\nContent-Length: 5\r\n\r\n${FIVE}` },
  { name: 'a target of 32 KiB', status: 414, bytes: `GET /${'a'.repeat(32_768)} HTTP/1.1\r\n${HOST}\r\n` },
  { name: 'a head of 80 KiB', status: 431, bytes: `${GET}${HOST}X: ${'a'.repeat(81_920)}\r\n\r\n` },
  { name: 'a head without end', status: 431, bytes: `${GET}${HOST}X: ${'a'.repeat(200_000)}` },
  { name: '101 headers', status: 431, bytes: `${GET}${HOST}${'X: y\r\n'.repeat(100)}\r\n` },
  { name: '10000 headers', status: 431, bytes: `${GET}${HOST}${'X:\r\n'.repeat(10_000)}\r\n` },
]

const post = (header: string, rest: string): string => `${POST}${header}\r\n\r\n${rest}`

/** Refused at the head: nothing may reach the application. */
export const REFUSED_HEADS: readonly RefusedCase[] = [
  ...CONFLICTING_FRAMING.map(refuse(400)),
  ...CONTENT_LENGTHS.map(([value, what]) =>
    refuse(400)([`content-length: ${what}`, post(`Content-Length: ${value}`, FIVE)]),
  ),
  ...TRANSFER_ENCODINGS.map(([value, what]) =>
    refuse(400)([`transfer-encoding: ${what}`, post(`Transfer-Encoding: ${value}`, NO_BODY)]),
  ),
  ...HIDDEN_FRAMING.map(refuse(400)),
  ...LINES.map(refuse(400)),
  ...REQUEST_LINES.map(refuse(400)),
  ...PATHS.map((path) => refuse(400)([`path ${path}`, `GET ${path} HTTP/1.1\r\n${HOST}\r\n`])),
  ...HOSTS.map(refuse(400)),
  ...OTHERS,
]

/** Refused inside the body: the application may have seen the head by then, but never a second request. */
export const REFUSED_BODIES: readonly RefusedCase[] = CHUNKS.map(([name, body]) => refuse(400)([name, CHUNKED + body]))
