import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Body, type BodyKind } from './body.ts'
import { createHeaderNameSet } from './header-name-set.ts'
import { DEFAULT_LIMITS } from './limits.ts'
import type { HttpRefusalCode } from './refusal.ts'
import { everyOffset } from './testing-scan.ts'

const LIMITS = { ...DEFAULT_LIMITS, chunkExtensionBytes: 8, trailerBytes: 40 }

interface Passed {
  /** What was passed on, in order. */
  readonly text: string
  /** How many bytes belong to the body. */
  readonly used: number
  readonly isDone: boolean
  readonly refusal: HttpRefusalCode | undefined
}

function pass(kind: BodyKind, text: string, cuts: readonly number[] = [], length = 0): Passed {
  const body = new Body(LIMITS)
  body.begin(kind, length)
  body.forbiddenTrailers = createHeaderNameSet(['x-forwarded-client-cert'])
  const bytes = Buffer.from(text, 'latin1')
  let passed = ''
  let from = 0
  for (const to of [...new Set([...cuts.filter((cut) => cut <= bytes.length), bytes.length])].sort((a, b) => a - b)) {
    while (from < to && !body.isDone && body.refusal === undefined) {
      const end = body.consume(bytes, from, to)
      if (body.refusal === undefined)
        passed += bytes.toString('latin1', from, body.passEnd) + body.tail.toString('latin1')
      from = end
    }
  }
  return { text: passed, used: body.byteCount, isDone: body.isDone, refusal: body.refusal }
}

test('a length body ends after its last byte', () => {
  assert.deepEqual(pass('length', 'abcdef', [2], 4), { text: 'abcd', used: 4, isDone: true, refusal: undefined })
  assert.equal(pass('length', 'abc', [], 4).isDone, false)
  assert.equal(pass('length', '', [], 0).isDone, true)
})

test('a body that ends with the connection never ends by itself', () => {
  assert.deepEqual(pass('close', 'abc', [1]), { text: 'abc', used: 3, isDone: false, refusal: undefined })
})

const ACCEPTED = [
  ['an empty body', '0\r\n\r\n'],
  ['one chunk', '3\r\nabc\r\n0\r\n\r\n'],
  ['several chunks, hex in any case', 'a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n'],
  ['leading zeros', '003\r\nabc\r\n000\r\n\r\n'],
  ['an extension', '3;a="b"\r\nabc\r\n0;c\r\n\r\n'],
  ['trailers', '0\r\nX-Sum: 1\r\nx-b:2\r\n\r\n'],
] as const

for (const [what, text] of ACCEPTED)
  test(`passes on ${what} byte for byte`, () => {
    const expected = { text, used: text.length, isDone: true, refusal: undefined }
    assert.deepEqual(pass('chunked', `${text}GET /next`), expected)
    assert.deepEqual(pass('chunked', `${text}GET /next`, everyOffset(text)), expected, 'byte by byte')
  })

const REFUSED: readonly (readonly [string, string, HttpRefusalCode])[] = [
  ['no size', '\r\nabc\r\n', 'invalid_chunk'],
  ['a size that is no number', 'x\r\nabc\r\n', 'invalid_chunk'],
  ['a signed size', '+3\r\nabc\r\n', 'invalid_chunk'],
  ['a size with 0x', '0x3\r\nabc\r\n', 'invalid_chunk'],
  ['a space before the size', ' 3\r\nabc\r\n', 'invalid_chunk'],
  ['a space after the size', '3 \r\nabc\r\n', 'invalid_chunk'],
  ['a size beyond 2^52', `${'f'.repeat(14)}\r\n`, 'invalid_chunk'],
  ['a size of endless zeros', '0'.repeat(14), 'invalid_chunk'],
  ['a bare LF after the size', '3\nabc\r\n0\r\n\r\n', 'invalid_chunk'],
  ['a bare CR after the size', '3\rabc', 'invalid_chunk'],
  ['a bare LF in an extension', '3;a\nabc\r\n0\r\n\r\n', 'invalid_chunk'],
  ['a NUL in an extension', '3;a\0\r\nabc', 'invalid_chunk'],
  ['a long extension', '3;123456789\r\nabc', 'invalid_chunk'],
  ['more data than the size', '3\r\nabcd\r\n0\r\n\r\n', 'invalid_chunk'],
  ['a bare LF after the data', '3\r\nabc\n0\r\n\r\n', 'invalid_chunk'],
  ['a bare CR after the data', '3\r\nabc\r0\r\n\r\n', 'invalid_chunk'],
  ['a folded trailer', '0\r\nX: 1\r\n 2\r\n\r\n', 'invalid_trailer'],
  ['a bare LF after the last chunk', '0\r\n\n', 'invalid_trailer'],
  ['a request after the last chunk', '0\r\nGET / HTTP/1.1\r\n\r\n', 'invalid_trailer'],
  ['content-length as trailer', '0\r\nContent-Length: 1\r\n\r\n', 'invalid_trailer'],
  ['transfer-encoding as trailer', '0\r\ntransfer-encoding: x\r\n\r\n', 'invalid_trailer'],
  ['host as trailer', '0\r\nHost: x\r\n\r\n', 'invalid_trailer'],
  ['authorization as trailer', '0\r\nAuthorization: x\r\n\r\n', 'invalid_trailer'],
  ['an identity header as trailer', '0\r\nX-Forwarded-Client-Cert: x\r\n\r\n', 'invalid_trailer'],
  ['a long trailer section', `0\r\nX: ${'a'.repeat(50)}\r\n\r\n`, 'trailers_too_large'],
]

for (const [what, text, code] of REFUSED)
  test(`refuses ${what}`, () => {
    const { isDone, refusal } = pass('chunked', text)
    assert.deepEqual({ isDone, refusal }, { isDone: false, refusal: code })
    assert.equal(pass('chunked', text, everyOffset(text)).refusal, code, 'byte by byte')
  })

const piece = fc.oneof(
  { weight: 4, arbitrary: fc.string({ maxLength: 20 }).map((data) => `${data.length.toString(16)}\r\n${data}\r\n`) },
  fc.constantFrom('0\r\n\r\n', '0\r\nX: y\r\n\r\n', '1;e\r\nx\r\n', '\r\n', '3', ';', '0\r\nHost: a\r\n\r\n', 'x'),
)
const chunkedText = fc.array(piece, { maxLength: 8 }).map((pieces) => `${pieces.join('')}0\r\n\r\n`)

test('the same bytes give the same result however they are split', () => {
  fc.assert(
    fc.property(chunkedText, fc.array(fc.nat(120)), (text, cuts) => {
      const whole = pass('chunked', text)
      const split = pass('chunked', text, cuts)
      assert.equal(split.refusal, whole.refusal)
      assert.equal(split.isDone, whole.isDone)
      if (whole.refusal !== undefined) return
      assert.equal(split.text, whole.text)
      assert.equal(split.used, whole.used)
    }),
    { numRuns: 3000 },
  )
})

test('agrees with the plain reading of the grammar', () => {
  fc.assert(
    fc.property(chunkedText, (text) => {
      const { isDone, used, refusal } = pass('chunked', text)
      const expected = plainlyReadChunks(text)
      assert.deepEqual(isDone ? used : ((refusal && 'refused') ?? 'incomplete'), expected)
    }),
    { numRuns: 3000 },
  )
})

/** The oracle: where the chunked body in `text` ends. */
function plainlyReadChunks(text: string): number | 'refused' | 'incomplete' {
  let rest = text
  for (;;) {
    const size = /^([0-9a-fA-F]{1,13})(;[\t\x20-\x7e]{0,8})?\r\n/.exec(rest)
    if (!size) return /^([0-9a-fA-F]{1,13}(;[\t\x20-\x7e]{0,8})?\r?)?$/.test(rest) ? 'incomplete' : 'refused'
    rest = rest.slice(size[0].length)
    const length = parseInt(size[1]!, 16)
    if (length === 0) break
    if (rest.length < length + 2) return '\r\n'.startsWith(rest.slice(length)) ? 'incomplete' : 'refused'
    if (rest.slice(length, length + 2) !== '\r\n') return 'refused'
    rest = rest.slice(length + 2)
  }
  for (;;) {
    const line = /^[^\n]*\n/.exec(rest)?.[0]
    if (line === undefined) return 'incomplete'
    rest = rest.slice(line.length)
    if (line === '\r\n') return text.length - rest.length
    const name = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[\t\x20-\x7e\x80-\xff]*\r\n$/.exec(line)?.[1]
    if (name === undefined || name.toLowerCase() === 'host') return 'refused'
  }
}
