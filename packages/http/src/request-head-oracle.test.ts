import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { HttpRefusalCode } from './refusal.ts'
import { LIMITS, scanInPieces, scanWhole, type ReadHead } from './testing-scan.ts'

const line = 'GET / HTTP/1.1\r\n'

test('the same bytes give the same result however they are split', () => {
  fc.assert(
    fc.property(headText, fc.array(fc.nat(700)), (text, cuts) => {
      assert.deepEqual(scanInPieces(text, cuts), scanWhole(text))
    }),
    { numRuns: 3000 },
  )
})

test('agrees with the plain reading of the grammar', () => {
  fc.assert(
    fc.property(headText, (text) => assert.deepEqual(withoutCode(scanWhole(text)), plainlyRead(text))),
    { numRuns: 5000 },
  )
})

test('random bytes are refused or waited for, never thrown at', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 700 }), (bytes) => {
      const text = Buffer.from(bytes).toString('latin1')
      assert.deepEqual(withoutCode(scanWhole(text)), plainlyRead(text))
    }),
    { numRuns: 2000 },
  )
})

function withoutCode(result: ReadHead | HttpRefusalCode | undefined): ReadHead | 'refused' | undefined {
  return typeof result === 'string' ? 'refused' : result
}

/** The oracle: strings and regular expressions, written for reading. Knows no offsets, no pieces, no tables. */
function plainlyRead(text: string): ReadHead | 'refused' | undefined {
  const skipped = text.startsWith('\r\n') ? 2 : 0
  let lines = text.slice(skipped, LIMITS.headBytes).split('\n').slice(0, -1)
  const isWhole = lines.includes('\r')
  if (isWhole) lines = lines.slice(0, lines.indexOf('\r') + 1)
  if (lines.some((one) => !/^[^\r]*\r$/.test(one))) return 'refused'
  const [first, ...rest] = lines.map((one) => one.slice(0, -1))
  if (first === undefined) return text.length > LIMITS.headBytes ? 'refused' : undefined

  const parts = /^([A-Z_-]+) ([\x21-\x7e]+) HTTP\/1\.([01])$/.exec(first)
  if (!parts) return 'refused'
  const [, method, uri, minorText] = parts as unknown as [string, string, string, string]
  const minor = Number(minorText)
  if (!(isPlainTarget(uri) || (method === 'OPTIONS' && uri === '*')) || method === 'CONNECT') return 'refused'
  if (uri.length > LIMITS.targetBytes) return 'refused'

  const found: [string, string][] = []
  for (const one of rest.slice(0, isWhole ? -1 : undefined)) {
    const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/.exec(one)
    if (!field) return 'refused'
    found.push([field[1]!.toLowerCase(), field[2]!])
  }
  if (found.length > LIMITS.headers) return 'refused'
  if (!isWhole) return text.length > LIMITS.headBytes ? 'refused' : undefined

  const all = (name: string): string[] => found.filter(([other]) => other === name).map(([, value]) => value)
  const lengths = all('content-length')
  const codings = all('transfer-encoding')
  const options = all('connection').flatMap((value) => value.split(',').map((one) => one.trim().toLowerCase()))
  if (lengths.length > 1 || codings.length > 1 || (lengths.length > 0 && codings.length > 0)) return 'refused'
  if (lengths.some((value) => !/^\d{1,15}$/.test(value))) return 'refused'
  if (codings.some((value) => value.toLowerCase() !== 'chunked' || minor === 0)) return 'refused'
  if (options.some((one) => one !== '' && !/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(one))) return 'refused'
  const framing = ['host', 'content-length', 'transfer-encoding', 'expect']
  if (framing.some((name) => options.includes(name) && all(name).length > 0)) return 'refused'
  const hosts = all('host')
  if (hosts.length > 1 || (hosts.length === 0 && minor === 1)) return 'refused'
  if (hosts.some((value) => !/^([\w.-]+|\[[0-9a-fA-F:.]+\])(:\d{1,5})?$/.test(value))) return 'refused'
  if (minor === 1 && all('expect').some((value) => value.toLowerCase() !== '100-continue')) return 'refused'

  const hidden = ['connection', 'keep-alive', 'proxy-connection', 'upgrade', 'te', 'http2-settings', ...options]
  if (minor === 0) hidden.push('expect')
  const names = [...new Set(found.map(([name]) => name))].filter((name) => !hidden.includes(name))
  return {
    method,
    target: uri,
    minor,
    headers: Object.fromEntries(names.map((name) => [name, all(name).join(', ')])),
    contentLength: lengths.length === 0 ? -1 : Number(lengths[0]),
    chunked: codings.length > 0,
    keepsAlive: !options.includes('close') && (minor === 1 || options.includes('keep-alive')),
    end: skipped + lines.join('\n').length + 1,
  }
}

function isPlainTarget(uri: string): boolean {
  const [path, ...queries] = uri.split('?') as [string, ...string[]]
  if (uri.includes('#') || !path.startsWith('/') || path.includes('\\') || path.includes('//')) return false
  if (/%(?![0-9a-fA-F]{2})/.test(path) || /%(?![0-9a-fA-F]{2})/.test(queries.join('?'))) return false
  if (/%(2f|5c|00)/i.test(path)) return false
  return path.split('/').every((segment) => !/^(\.|%2e){1,2}(;|%3b|$)/i.test(segment))
}

/** Heads that are nearly right: known parts in odd orders, sometimes with a byte put in or taken out. */
const part = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom('Host: a\r\n', 'X-A: b\r\n', '\r\n', 'Content-Length: 3\r\n', 'Connection: close\r\n'),
  },
  fc.constantFrom(
    'Transfer-Encoding: chunked\r\n',
    'transfer-encoding: Chunked \r\n',
    'content-length:3\r\n',
    'Connection: x-a , keep-alive\r\n',
    'Connection: host\r\n',
    'Expect: 100-continue\r\n',
    'x-a:\t c\xe9 \t\r\n',
    'TE: trailers\r\n',
    'Host: [::1]:8\r\n',
    ' folded\r\n',
    'X : y\r\n',
    '\n',
    '\r',
    'X-A: b\n',
  ),
  fc.string({ maxLength: 4 }),
)
const pathPart = fc.constantFrom(
  'a',
  '/',
  '.',
  '..',
  '%2e',
  '%2f',
  '%41',
  '%4',
  '?',
  '#',
  '\\',
  ';',
  '%3b',
  '~',
  '"',
  '%00',
  '*',
)
const requestLine = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom(line, 'POST /a/b?c=%20d HTTP/1.1\r\n', 'GET / HTTP/1.0\r\n', 'OPTIONS * HTTP/1.1\r\n'),
  },
  fc.array(pathPart, { maxLength: 6 }).map((parts) => `GET /${parts.join('')} HTTP/1.1\r\n`),
  fc.constantFrom(
    '\r\nGET / HTTP/1.1\r\n',
    'GET  / HTTP/1.1\r\n',
    'GET / HTTP/1.2\r\n',
    'CONNECT a:1 HTTP/1.1\r\n',
    '',
  ),
)
const headText = fc
  .tuple(
    requestLine,
    fc.array(part, { maxLength: 12 }),
    fc.nat(300),
    fc.constantFrom('', '', '', '', '\r', '\n', ' ', '\0', ':'),
    fc.nat(1),
  )
  .map(([first, parts, at, extra, cut]) => {
    const text = `${first}Host: b\r\n${parts.join('')}\r\n`
    const where = at % text.length
    return extra === '' ? text : text.slice(0, where) + extra + text.slice(where + cut)
  })
