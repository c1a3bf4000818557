/**
 * What an upstream gets is read again here by a second, plain parser. Whatever bytes a caller sends: every request in the
 * upstream's stream was decided upon, in the form in which it was decided, and none of them holds another one.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { listen, RawClient } from './testing.ts'
import { startForwarder } from './testing-forwarder.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

interface PlainRequest {
  readonly line: string
  readonly end: number
}

/** The next request in `text`; undefined when it is not complete. Throws on whatever two readers could disagree about. */
function readPlainly(text: string): PlainRequest | undefined {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd < 0) return undefined
  const [line, ...fields] = text.slice(0, headEnd).split('\r\n') as [string, ...string[]]
  assert.match(line, /^[A-Z_-]+ [\x21-\x7e]+ HTTP\/1\.[01]$/)
  for (const field of fields) assert.match(field, /^[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*$/)
  const values = (name: string): string[] =>
    fields
      .filter((field) => field.toLowerCase().startsWith(`${name}:`))
      .map((field) => field.slice(name.length + 1).trim())
  const [lengths, codings] = [values('content-length'), values('transfer-encoding')]
  assert.ok(lengths.length + codings.length <= 1, 'two framings')
  let end = headEnd + 4
  if (lengths.length === 1) end += Number(lengths[0])
  if (codings.length === 1) {
    const body = /^(?:[0-9a-fA-F]*[1-9a-fA-F][0-9a-fA-F]*[^\r\n]*\r\n[^]*?\r\n)*0+[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n/
    const found = body.exec(text.slice(end))
    if (!found) return undefined
    end += found[0].length
  }
  return end > text.length ? undefined : { line, end }
}

async function startRecorder(): Promise<
  AsyncDisposable & { readonly port: number; readonly lines: string[]; readonly leftovers: string[] }
> {
  const lines: string[] = []
  const leftovers: string[] = []
  const server = await listen((socket) => {
    let text = ''
    socket.on('data', (piece) => {
      text += piece.toString('latin1')
      for (let request = readPlainly(text); request; request = readPlainly(text)) {
        lines.push(request.line)
        text = text.slice(request.end)
        socket.write(OK)
      }
    })
    socket.on('close', () => text !== '' && leftovers.push(text))
  })
  return Object.assign(server, { lines, leftovers })
}

const CASES: readonly (readonly [string, string])[] = [
  [
    'CL.TE',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 35\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n',
  ],
  [
    'TE.CL',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n1c\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n0\r\n\r\n',
  ],
  [
    'TE.TE',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-encoding: x\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n',
  ],
  [
    'CL.CL',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 27\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n',
  ],
  [
    'space before the colon',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n',
  ],
  [
    'a folded coding',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n',
  ],
  ['a bare LF', 'POST / HTTP/1.1\r\nHost: a\nContent-Length: 27\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['a head hidden in a header', 'POST / HTTP/1.1\r\nHost: a\r\nX: y\r\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n'],
  [
    'Connection taking the length away',
    'POST / HTTP/1.1\r\nHost: a\r\nConnection: content-length\r\nContent-Length: 27\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n',
  ],
  [
    'a chunk extension with a bare LF',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;\nxx\r\n1b\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n',
  ],
  [
    'a chunk longer than it says',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n',
  ],
]

for (const [what, text] of CASES)
  test(`${what} never becomes two requests`, async () => {
    await using upstream = await startRecorder()
    await using server = await startForwarder({ upstreamPort: upstream.port })
    using client = new RawClient(server.port)
    const answer = await client.send(text).untilEnd()
    assert.match(answer, /^HTTP\/1\.1 400 /)
    assert.equal(answer.split('HTTP/1.1 ').length, 2)
    assert.deepEqual(upstream.lines, [])
  })

test('a body that looks like a request stays a body', async () => {
  await using upstream = await startRecorder()
  await using server = await startForwarder({ upstreamPort: upstream.port })
  using client = new RawClient(server.port)
  const inner = 'GET /inner HTTP/1.1\r\nHost: a\r\n\r\n'
  client.send(
    `POST /outer HTTP/1.1\r\nHost: a\r\nContent-Length: ${inner.length}\r\n\r\n${inner}GET /next HTTP/1.1\r\nHost: a\r\n\r\n`,
  )
  await client.until((text) => text.split('ok').length === 3)
  assert.deepEqual(upstream.lines, ['POST /outer HTTP/1.1', 'GET /next HTTP/1.1'])
})

const fragment = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom('GET /a HTTP/1.1\r\nHost: a\r\n\r\n', 'POST /b HTTP/1.1\r\nHost: a\r\n', '\r\n'),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom('Content-Length: 5\r\n', 'Transfer-Encoding: chunked\r\n', 'X-A: b\r\n', 'Host: a\r\n'),
  },
  fc.constantFrom(
    '5\r\nhello\r\n',
    '0\r\n\r\n',
    'hello',
    '1;x\r\na\r\n',
    'Connection: x-a\r\n',
    'Connection: transfer-encoding\r\n',
  ),
  fc.constantFrom(
    '\r',
    '\n',
    ' ',
    '\t',
    '\0',
    ':',
    'Content-Length : 5\r\n',
    'Transfer-Encoding: x\r\n',
    ' chunked\r\n',
    '%2f',
    '/../',
  ),
)

test('whatever is sent, the upstream reads exactly the requests that were decided upon', async () => {
  await using upstream = await startRecorder()
  const decided: string[] = []
  await using server = await startForwarder({
    upstreamPort: upstream.port,
    onRequest: ({ head }, forward) => (decided.push(`${head.method} ${head.target} HTTP/${head.version}`), forward()),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(fragment, { maxLength: 10 }),
      fc.array(fc.nat(200), { maxLength: 3 }),
      async (parts, cuts) => {
        decided.length = upstream.lines.length = upstream.leftovers.length = 0
        const bytes = Buffer.from(`POST /start HTTP/1.1\r\nHost: a\r\n${parts.join('')}`, 'latin1')
        const edges = [0, ...cuts.filter((at) => at < bytes.length), bytes.length].sort((a, b) => a - b)
        using client = new RawClient(server.port)
        for (const [i, to] of edges.slice(1).entries()) {
          client.send(bytes.subarray(edges[i], to))
          await new Promise((resolve) => setImmediate(resolve))
        }
        client.socket.end()
        await client.untilEnd()
        // A request that its caller left unfinished was decided upon but is never complete for the upstream.
        assert.deepEqual(upstream.lines, decided.slice(0, upstream.lines.length))
        assert.ok(decided.length - upstream.lines.length <= 1)
      },
    ),
    { numRuns: 400 },
  )
})
