import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HttpRefusalCode } from './refusal.ts'
import { parseRequestHead } from './scanned-request-head.ts'
import { requestHeadOf } from './testing.ts'
import { everyOffset, LIMITS, scanInPieces, scanWhole } from './testing-scan.ts'

test('reads method, path, query, host, version and headers as sent', () => {
  const head = requestHeadOf({
    method: 'POST',
    target: '/payments/%C3%BC?amount=1&to=%2fa/b?c',
    headers: { host: 'payments.mesh:8080', 'X-One': ['a', ' b\t'], 'x-empty': '', 'X-Opaque': '\xe9' },
  })
  assert.equal(head.method, 'POST')
  assert.equal(head.target, '/payments/%C3%BC?amount=1&to=%2fa/b?c')
  assert.equal(head.path, '/payments/%C3%BC')
  assert.equal(head.query, 'amount=1&to=%2fa/b?c')
  assert.equal(head.host, 'payments.mesh:8080')
  assert.equal(head.version, '1.1')
  assert.equal(head.header('x-one'), 'a, b')
  assert.equal(head.header('x-absent'), undefined)
  assert.deepEqual(
    { ...head.headers() },
    { host: 'payments.mesh:8080', 'x-one': 'a, b', 'x-empty': '', 'x-opaque': '\xe9' },
  )
  assert.equal(Object.getPrototypeOf(head.headers()), null)
})

test('gives the same fields as offsets into the received bytes', () => {
  const head = requestHeadOf({ target: '/a?b', headers: { 'x-one': '1' } })
  const text = (start: number, end: number): string => head.bytes.toString('latin1', start, end)
  assert.equal(text(head.methodStart, head.methodEnd), 'GET')
  assert.equal(text(head.pathStart, head.pathEnd), '/a')
  assert.equal(text(head.queryStart, head.queryEnd), 'b')
  assert.equal(text(head.hostStart, head.hostEnd), 'ledger.mesh')
  const index = head.indexOf('x-one')
  assert.equal(text(head.offsets[4 * index]!, head.offsets[4 * index + 1]!), 'x-one')
  assert.equal(text(head.offsets[4 * index + 2]!, head.offsets[4 * index + 3]!), '1')
  assert.equal(head.indexOf('x-one', index + 1), -1)
})

test('hides hop-by-hop fields and those that Connection nominates', () => {
  const head = requestHeadOf({
    headers: { connection: 'keep-alive, X-Secret', 'x-secret': '1', te: 'trailers', upgrade: 'h2c', 'x-shown': '2' },
  })
  assert.deepEqual(Object.keys(head.headers()), ['host', 'x-shown'])
  assert.equal(head.header('x-secret'), undefined)
  assert.equal(head.isShown(2), false)
})

test('a header called __proto__ is a header', () => {
  assert.equal(
    requestHeadOf({ headers: JSON.parse('{"__proto__":"x"}') as Record<string, string> }).headers()['__proto__'],
    'x',
  )
})

const line = 'GET / HTTP/1.1\r\n'
const host = 'Host: a\r\n'

const ACCEPTED = [
  ['an empty line before the request line', `\r\n${line}${host}\r\n`],
  ['an HTTP/1.0 request without Host', 'GET / HTTP/1.0\r\n\r\n'],
  ['OPTIONS *', `OPTIONS * HTTP/1.1\r\n${host}\r\n`],
  ['an IPv6 host with port', `${line}Host: [::1]:80\r\n\r\n`],
  ['no space after the colon', `${line}Host:a\r\n\r\n`],
  ['content-length 0', `${line}${host}Content-Length: 0\r\n\r\n`],
  ['chunked in any case', `${line}${host}Transfer-Encoding: ChunkeD\r\n\r\n`],
  ['Expect: 100-continue', `${line}${host}Expect: 100-Continue\r\n\r\n`],
  ['an unknown expectation in 1.0', `GET / HTTP/1.0\r\nExpect: x\r\n\r\n`],
  ['a method that nobody knows', `FROB-X / HTTP/1.1\r\n${host}\r\n`],
  ['an unknown Upgrade', `${line}${host}Connection: upgrade\r\nUpgrade: foo\r\n\r\n`],
  ['Connection nominating an absent field', `${line}${host}Connection: x-none\r\n\r\n`],
  ['a trailing slash', `GET /a/ HTTP/1.1\r\n${host}\r\n`],
  ['dots that are no dot segment', `GET /.../.a/a.. HTTP/1.1\r\n${host}\r\n`],
] as const

for (const [what, text] of ACCEPTED)
  test(`accepts ${what}`, () => {
    const head = parseRequestHead(Buffer.from(text, 'latin1'), LIMITS)
    assert.ok(head !== undefined && !('kind' in head), `refused: ${JSON.stringify(head)}`)
  })

const fields = (...lines: string[]): string => `${line}${host}${lines.map((one) => `${one}\r\n`).join('')}\r\n`
const target = (value: string): string => `GET ${value} HTTP/1.1\r\n${host}\r\n`

const REFUSED_HEADS: readonly (readonly [string, string, HttpRefusalCode])[] = [
  [
    'content-length and transfer-encoding',
    fields('Content-Length: 3', 'Transfer-Encoding: chunked'),
    'conflicting_framing',
  ],
  [
    'transfer-encoding and content-length',
    fields('Transfer-Encoding: chunked', 'Content-Length: 3'),
    'conflicting_framing',
  ],
  ['two content-lengths', fields('Content-Length: 3', 'Content-Length: 4'), 'duplicate_content_length'],
  ['two equal content-lengths', fields('Content-Length: 3', 'content-length: 3'), 'duplicate_content_length'],
  ['a content-length list', fields('Content-Length: 3, 3'), 'invalid_content_length'],
  ['a content-length with a plus', fields('Content-Length: +3'), 'invalid_content_length'],
  ['a negative content-length', fields('Content-Length: -3'), 'invalid_content_length'],
  ['a hexadecimal content-length', fields('Content-Length: 0x3'), 'invalid_content_length'],
  ['a content-length with a space inside', fields('Content-Length: 1 2'), 'invalid_content_length'],
  ['an empty content-length', fields('Content-Length:'), 'invalid_content_length'],
  ['a content-length beyond 2^53', fields('Content-Length: 9999999999999999'), 'invalid_content_length'],
  ['an unknown transfer coding', fields('Transfer-Encoding: gzip'), 'invalid_transfer_encoding'],
  ['several transfer codings', fields('Transfer-Encoding: gzip, chunked'), 'invalid_transfer_encoding'],
  ['chunked twice', fields('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'), 'invalid_transfer_encoding'],
  ['an obfuscated chunked', fields('Transfer-Encoding: \x0bchunked'), 'invalid_header_value'],
  ['chunked with a parameter', fields('Transfer-Encoding: chunked;x'), 'invalid_transfer_encoding'],
  ['an empty transfer-encoding', fields('Transfer-Encoding:'), 'invalid_transfer_encoding'],
  [
    'transfer-encoding in HTTP/1.0',
    'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n',
    'invalid_transfer_encoding',
  ],
  ['a folded header', fields('X-A: 1', ' 2'), 'obsolete_folding'],
  ['a header folded with a tab', fields('X-A: 1', '\t2'), 'obsolete_folding'],
  ['space before the first header', `${line} ${host}\r\n`, 'obsolete_folding'],
  ['a bare LF after the request line', `GET / HTTP/1.1\n${host}\r\n`, 'invalid_line_ending'],
  ['a bare LF after a header', `${line}Host: a\n\r\n`, 'invalid_line_ending'],
  ['a bare LF as the empty line', `${line}${host}\n`, 'invalid_line_ending'],
  ['a bare CR in a value', `${line}${host}X-A: b\rc\r\n\r\n`, 'invalid_line_ending'],
  ['a bare CR as the empty line', `${line}${host}\rX: y\r\n\r\n`, 'invalid_line_ending'],
  ['CR CR LF', `${line}${host}X-A: b\r\r\n\r\n`, 'invalid_line_ending'],
  ['a NUL in a value', fields('X-A: b\0c'), 'invalid_header_value'],
  ['a control byte in a value', fields('X-A: b\x01c'), 'invalid_header_value'],
  ['a DEL in a value', fields('X-A: b\x7fc'), 'invalid_header_value'],
  ['a space before the colon', fields('Content-Length : 3'), 'invalid_header_name'],
  ['a tab before the colon', fields('X-A\t: 3'), 'invalid_header_name'],
  ['an empty name', fields(': 3'), 'invalid_header_name'],
  ['no colon', fields('X-A'), 'invalid_header_name'],
  ['a name with a bracket', fields('X[A]: 3'), 'invalid_header_name'],
  ['a name with a high byte', fields('X\xe9: 3'), 'invalid_header_name'],
  ['a name with a NUL', fields('X\0: 3'), 'invalid_header_name'],
  ['no Host', `${line}\r\n`, 'missing_host'],
  ['two Hosts', fields('Host: a'), 'duplicate_host'],
  ['an empty Host', `${line}Host:\r\n\r\n`, 'invalid_host'],
  ['a Host with user information', `${line}Host: a@b\r\n\r\n`, 'invalid_host'],
  ['a Host with a path', `${line}Host: a/b\r\n\r\n`, 'invalid_host'],
  ['a Host with a space', `${line}Host: a b\r\n\r\n`, 'invalid_host'],
  ['a Host with a bad port', `${line}Host: a:8x\r\n\r\n`, 'invalid_host'],
  ['a Host with an empty port', `${line}Host: a:\r\n\r\n`, 'invalid_host'],
  ['a Host list', `${line}Host: a, b\r\n\r\n`, 'invalid_host'],
  ['an unclosed IPv6 Host', `${line}Host: [::1\r\n\r\n`, 'invalid_host'],
  ['Connection nominating Host', fields('Connection: host'), 'invalid_connection'],
  [
    'Connection nominating Content-Length',
    fields('Connection: content-length', 'Content-Length: 3'),
    'invalid_connection',
  ],
  [
    'Connection nominating Transfer-Encoding',
    fields('Connection: close, Transfer-Encoding', 'Transfer-Encoding: chunked'),
    'invalid_connection',
  ],
  ['a Connection that is no token list', fields('Connection: "close"'), 'invalid_connection'],
  ['another expectation', fields('Expect: 200-ok'), 'unsupported_expectation'],
  ['absolute form', target('http://b/'), 'invalid_target'],
  ['absolute form in another scheme', target('urn:x'), 'invalid_target'],
  ['authority form', target('a:80'), 'invalid_target'],
  ['asterisk form for GET', target('*'), 'invalid_target'],
  ['CONNECT', `CONNECT a:443 HTTP/1.1\r\n${host}\r\n`, 'connect_not_supported'],
  ['an empty target', target(''), 'invalid_target'],
  ['a fragment', target('/a#b'), 'invalid_target'],
  ['a NUL in the path', target('/a\0b'), 'invalid_target'],
  ['a high byte in the path', target('/\xe9'), 'invalid_target'],
  ['a high byte in the query', target('/?\xe9'), 'invalid_target'],
  ['a control byte in the query', target('/?\x01'), 'invalid_target'],
  ['a fragment after the query', target('/?a#b'), 'invalid_target'],
  ['a bad escape', target('/%4'), 'invalid_escape'],
  ['a bad escape of letters', target('/%zz'), 'invalid_escape'],
  ['a bad escape in the query', target('/?%2'), 'invalid_escape'],
  ['an encoded slash', target('/a%2Fb'), 'ambiguous_path'],
  ['an encoded backslash', target('/a%5cb'), 'ambiguous_path'],
  ['an encoded NUL', target('/a%00b'), 'ambiguous_path'],
  ['a backslash', target('/a\\b'), 'ambiguous_path'],
  ['an empty segment', target('/a//b'), 'ambiguous_path'],
  ['an empty first segment', target('//a'), 'ambiguous_path'],
  ['a dot segment', target('/a/./b'), 'ambiguous_path'],
  ['a double dot segment', target('/a/../b'), 'ambiguous_path'],
  ['a double dot segment at the end', target('/a/..'), 'ambiguous_path'],
  ['a double dot segment before the query', target('/a/..?b'), 'ambiguous_path'],
  ['an encoded dot segment', target('/a/%2e%2E/b'), 'ambiguous_path'],
  ['a half encoded dot segment', target('/a/.%2e'), 'ambiguous_path'],
  ['a dot segment with parameters', target('/a/..;x/b'), 'ambiguous_path'],
  ['a dot segment with encoded parameters', target('/a/%2e.%3bx/b'), 'ambiguous_path'],
  ['HTTP/2.0', 'GET / HTTP/2.0\r\n\r\n', 'unsupported_version'],
  ['HTTP/1.2', 'GET / HTTP/1.2\r\n\r\n', 'unsupported_version'],
  ['HTTP/0.9', 'GET / HTTP/0.9\r\n\r\n', 'unsupported_version'],
  ['a version in small letters', 'GET / http/1.1\r\n\r\n', 'invalid_request_line'],
  ['a version with two digits', 'GET / HTTP/1.10\r\n\r\n', 'invalid_request_line'],
  ['no version', 'GET /\r\n\r\n', 'invalid_target'],
  ['two spaces', 'GET  / HTTP/1.1\r\n\r\n', 'invalid_target'],
  ['a space after the version', 'GET / HTTP/1.1 \r\n\r\n', 'invalid_request_line'],
  ['a space inside the target', target('/a b'), 'invalid_request_line'],
  ['a method in small letters', `get / HTTP/1.1\r\n${host}\r\n`, 'invalid_request_line'],
  ['a space before the method', ` GET / HTTP/1.1\r\n${host}\r\n`, 'invalid_request_line'],
  ['two empty lines before the request line', `\r\n\r\n${line}${host}\r\n`, 'invalid_request_line'],
  ['TLS instead of HTTP', '\x16\x03\x01\x02\x00\x01\n', 'invalid_request_line'],
  ['a long target', target(`/${'a'.repeat(200)}`), 'target_too_long'],
  ['a target longer than a head', `GET /${'a'.repeat(700)}`, 'target_too_long'],
  ['a long head', fields(`X-A: ${'a'.repeat(600)}`), 'head_too_large'],
  ['a long unfinished head', `${line}${host}X-A: ${'a'.repeat(600)}`, 'head_too_large'],
  ['too many headers', fields(...Array.from({ length: 8 }, (_, i) => `X-${i}: 1`)), 'too_many_headers'],
]

for (const [what, text, code] of REFUSED_HEADS)
  test(`refuses ${what}`, () => {
    assert.deepEqual(scanWhole(text), code)
    assert.deepEqual(scanInPieces(text, everyOffset(text)), code, 'byte by byte')
  })

test('waits while a head is incomplete', () => {
  const text = fields('X-A: 1')
  for (let length = 0; length < text.length; length++) assert.equal(scanWhole(text.slice(0, length)), undefined)
})
