import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { INCOMPLETE, REFUSED } from './header-fields.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import type { HttpRefusalCode } from './refusal.ts'
import { ScannedResponseHead } from './response-head.ts'
import { everyOffset } from './testing-scan.ts'

const LIMITS = { ...DEFAULT_LIMITS, headBytes: 300, headers: 6 }

function scan(text: string, cuts: readonly number[] = []): ScannedResponseHead | HttpRefusalCode | undefined {
  const head = new ScannedResponseHead(LIMITS)
  const bytes = Buffer.from(text, 'latin1')
  head.begin(0)
  for (const to of [...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length]) {
    const end = head.scan(Buffer.from(bytes.subarray(0, to)), to)
    if (end === REFUSED) return head.refusal
    if (end !== INCOMPLETE) return head
  }
  return undefined
}

function accepted(text: string): ScannedResponseHead {
  const head = scan(text)
  assert.ok(head instanceof ScannedResponseHead, `not accepted: ${JSON.stringify(head)}`)
  return head
}

test('reads status, reason and framing', () => {
  const head = accepted('HTTP/1.1 404 Not  Found\xe9\r\nContent-Length: 12\r\n\r\n')
  assert.equal(head.status, 404)
  assert.equal(head.bytes.toString('latin1', head.reasonStart, head.reasonEnd), 'Not  Found\xe9')
  assert.equal(head.framing.contentLength, 12)
  assert.equal(head.keepsAlive, true)
})

test('reads a status line without reason, with and without its space', () => {
  assert.equal(accepted('HTTP/1.1 200 \r\n\r\n').status, 200)
  assert.equal(accepted('HTTP/1.1 200\r\n\r\n').status, 200)
})

test('learns how long the upstream keeps idle connections', () => {
  assert.equal(accepted('HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5, max=100\r\n\r\n').keepAliveSeconds, 5)
  assert.equal(accepted('HTTP/1.1 200 OK\r\nKeep-Alive: max=3\r\n\r\n').keepAliveSeconds, undefined)
})

test('HTTP/1.0 and Connection: close do not keep the connection', () => {
  assert.equal(accepted('HTTP/1.0 200 OK\r\n\r\n').keepsAlive, false)
  assert.equal(accepted('HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n').keepsAlive, true)
  assert.equal(accepted('HTTP/1.1 200 OK\r\nConnection: Close\r\n\r\n').keepsAlive, false)
})

test('knows which responses have no body', () => {
  for (const status of [100, 204, 304]) assert.equal(accepted(`HTTP/1.1 ${status} X\r\n\r\n`).isBodiless(false), true)
  assert.equal(accepted('HTTP/1.1 200 OK\r\n\r\n').isBodiless(false), false)
  assert.equal(accepted('HTTP/1.1 200 OK\r\n\r\n').isBodiless(true), true)
})

const fields = (...lines: string[]): string => `HTTP/1.1 200 OK\r\n${lines.map((one) => `${one}\r\n`).join('')}\r\n`

const REFUSED_HEADS: readonly (readonly [string, string, HttpRefusalCode])[] = [
  [
    'content-length and transfer-encoding',
    fields('Content-Length: 3', 'Transfer-Encoding: chunked'),
    'conflicting_framing',
  ],
  ['two equal content-lengths', fields('Content-Length: 3', 'Content-Length: 3'), 'duplicate_content_length'],
  ['a bad content-length', fields('Content-Length: 3x'), 'invalid_content_length'],
  ['another transfer coding', fields('Transfer-Encoding: identity'), 'invalid_transfer_encoding'],
  ['chunked in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', 'invalid_transfer_encoding'],
  ['a folded header', fields('X: 1', ' 2'), 'obsolete_folding'],
  ['a bare LF', 'HTTP/1.1 200 OK\nX: 1\r\n\r\n', 'invalid_line_ending'],
  ['a bare LF after a header', 'HTTP/1.1 200 OK\r\nX: 1\n\r\n', 'invalid_line_ending'],
  ['a NUL in a value', fields('X: \0'), 'invalid_header_value'],
  ['a space before the colon', fields('X : 1'), 'invalid_header_name'],
  [
    'Connection nominating Content-Length',
    fields('Connection: content-length', 'Content-Length: 3'),
    'invalid_connection',
  ],
  ['another protocol', 'ICY 200 OK\r\n\r\n', 'invalid_status_line'],
  ['HTTP/2', 'HTTP/2.0 200 OK\r\n\r\n', 'invalid_status_line'],
  ['HTTP/1.2', 'HTTP/1.2 200 OK\r\n\r\n', 'invalid_status_line'],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n', 'invalid_status_line'],
  ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n', 'invalid_status_line'],
  ['a status that no class has', 'HTTP/1.1 699 X\r\n\r\n', 'invalid_status_line'],
  ['a control byte in the reason', 'HTTP/1.1 200 O\x01K\r\n\r\n', 'invalid_line_ending'],
  ['a short line', 'HTTP/1.1\r\n\r\n', 'invalid_status_line'],
  ['an empty line first', '\r\nHTTP/1.1 200 OK\r\n\r\n', 'invalid_status_line'],
  ['a long head', fields(`X: ${'a'.repeat(300)}`), 'head_too_large'],
  ['a long reason', `HTTP/1.1 200 ${'a'.repeat(300)}`, 'head_too_large'],
  ['too many headers', fields('A: 1', 'B: 1', 'C: 1', 'D: 1', 'E: 1', 'F: 1', 'G: 1'), 'too_many_headers'],
]

for (const [what, text, code] of REFUSED_HEADS)
  test(`refuses ${what}`, () => {
    assert.equal(scan(text), code)
    assert.equal(scan(text, everyOffset(text)), code, 'byte by byte')
  })

test('random bytes never throw, and splits do not matter', () => {
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 350 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    fc.string({ maxLength: 30 }).map((text) => `HTTP/1.1 200 ${text}\r\n\r\n`),
    fc.string({ maxLength: 30 }).map((text) => `HTTP/1.1 200 OK\r\n${text}\r\n\r\n`),
  )
  fc.assert(
    fc.property(noise, fc.array(fc.nat(350)), (text, cuts) => {
      const whole = scan(text)
      const split = scan(text, cuts)
      assert.equal(typeof split, typeof whole)
      if (typeof whole === 'string') assert.equal(split, whole)
    }),
    { numRuns: 2000 },
  )
})
