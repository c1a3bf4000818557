import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { parseSpiffeId } from '@picket/identity'
import { parseRequestHead, type RequestHead } from '@picket/http'
import { toPolicyInput, type InputContext } from './input.ts'
import { NOT_REPRESENTABLE } from './json-bytes.ts'
import { Projection } from './projection.ts'
import { pick, WHOLE_INPUT, type InputReference } from './reference.ts'
import { createTestContext, createTestHead } from './testing.ts'
import { RawHead } from './testing-heads.ts'

const anyContext: fc.Arbitrary<InputContext> = fc.record({
  caller: fc.constantFrom(
    undefined,
    parseSpiffeId('spiffe://bank.test'),
    parseSpiffeId('spiffe://bank.test/gateway'),
    parseSpiffeId('spiffe://other.test/ns/a/sa/b'),
  ),
  service: fc.constantFrom('accounts', 'a "quoted" näme'),
  serviceId: fc.constant(parseSpiffeId('spiffe://bank.test/accounts')),
  source: fc.constantFrom(undefined, { host: '::1', port: 1 }),
  destination: fc.constantFrom(undefined, { host: '127.0.0.1', port: 7443 }),
  direction: fc.constantFrom('inbound', 'outbound'),
})

const latin1 = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  maxLength: 12,
})
const pathPiece = fc.constantFrom(
  '/',
  'a',
  'accounts',
  '.',
  '..',
  '%41',
  '%2F',
  '%C3%A9',
  '%ff',
  '%',
  '"',
  '\\',
  ' ',
  '~',
)
const headerName = fc.constantFrom('host', 'x-role', 'x-user', 'accept', 'x-request-id', '__proto__', 'constructor')

/** Heads of whatever bytes. */
const anyRawHead: fc.Arbitrary<RequestHead> = fc
  .record({
    method: fc.oneof(fc.constantFrom('GET', 'POST'), latin1),
    path: fc.oneof(
      fc.array(pathPiece, { maxLength: 6 }).map((pieces) => `/${pieces.join('')}`),
      latin1,
    ),
    query: fc.option(fc.oneof(fc.webQueryParameters(), latin1), { nil: undefined }),
    headers: fc.array(fc.tuple(headerName, latin1), { maxLength: 5 }),
    version: fc.constantFrom('1.0' as const, '1.1' as const),
  })
  .map(({ method, path, query, headers, version }) => new RawHead(method, path, query, headers, version))

/** Heads as they come over the wire and through http. */
const anyParsedHead: fc.Arbitrary<RequestHead> = fc
  .record({
    method: fc.constantFrom('GET', 'POST', 'DELETE'),
    path: fc.array(
      fc.constantFrom('accounts', 'payments', 'entries', 'health', 'a%20b', 'alice', '%C3%A9', '%FF', '"'),
      { maxLength: 4 },
    ),
    slash: fc.boolean(),
    query: fc.option(fc.webQueryParameters(), { nil: undefined }),
    headers: fc.array(
      fc.tuple(
        headerName.filter((name) => name !== 'host'),
        fc.base64String(),
      ),
      { maxLength: 4 },
    ),
  })
  .map(({ method, path, slash, query, headers }) => {
    const target = `/${path.join('/')}${slash && path.length > 0 ? '/' : ''}${query === undefined ? '' : `?${query}`}`
    const lines = [`${method} ${target} HTTP/1.1`, 'host: a', ...headers.map(([name, value]) => `${name}: ${value}`)]
    return parseRequestHead(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'))
  })
  .filter((head) => head !== undefined && !('kind' in head)) as fc.Arbitrary<RequestHead>

const referencePaths: readonly InputReference[] = [
  [],
  ['caller'],
  ['caller', 'path'],
  ['caller', 'segments'],
  ['service', 'name'],
  ['direction'],
  ['source_principal'],
  ['attributes'],
  ['attributes', 'source', 'principal'],
  ['attributes', 'destination', 'address', 'socketAddress', 'portValue'],
  ['attributes', 'request'],
  ['attributes', 'request', 'http', 'method'],
  ['attributes', 'request', 'http', 'path'],
  ['attributes', 'request', 'http', 'host'],
  ['attributes', 'request', 'http', 'scheme'],
  ['attributes', 'request', 'http', 'protocol'],
  ['attributes', 'request', 'http', 'query'],
  ['attributes', 'request', 'http', 'headers'],
  ['attributes', 'request', 'http', 'headers', 'host'],
  ['attributes', 'request', 'http', 'headers', 'x-role'],
  ['attributes', 'request', 'http', 'headers', 'x-user'],
  ['attributes', 'request', 'http', 'headers', 'x-request-id'],
  ['attributes', 'request', 'http', 'headers', '__proto__'],
  ['attributes', 'request', 'http', 'headers', ':path'],
  ['parsed_path'],
  ['parsed_path', '0'],
  ['parsed_query'],
  ['parsed_query', 'a'],
  ['no', 'such', 'field'],
]

const anyReferences: fc.Arbitrary<InputReference[]> = fc.subarray([...referencePaths])

/** The document as written, parsed again; undefined when it has no form. */
function write(references: readonly InputReference[], context: InputContext, head: RequestHead): unknown {
  const projection = new Projection(references)
  const memory = new Uint8Array(64 * 1024).fill(0x41)
  const end = projection.write(projection.bind(context), head, memory, 100)
  if (end === NOT_REPRESENTABLE) return undefined
  assert(
    memory.subarray(end).every((byte) => byte === 0x41),
    'nothing is written behind the end',
  )
  const text = new TextDecoder('utf-8', { fatal: true }).decode(memory.subarray(100, end))
  return parseWithoutDuplicates(text)
}

/** JSON.parse lets the last of two equal keys win; here they are an error. */
function parseWithoutDuplicates(text: string): unknown {
  const value: unknown = JSON.parse(text)
  const keysIn = (inner: unknown): number =>
    typeof inner === 'object' && inner !== null
      ? Object.values(inner).reduce<number>(
          (sum, item) => sum + keysIn(item),
          Array.isArray(inner) ? 0 : Object.keys(inner).length,
        )
      : 0
  const colons = text.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""').split('":').length - 1
  assert.equal(colons, keysIn(value), `a key stands twice in ${text}`)
  return value
}

/** What the policy sees of it: a field that it reads a part of may be there as a whole. */
const seen = (references: readonly InputReference[], context: InputContext, head: RequestHead): unknown =>
  pick(write(references, context, head), references)

const plain = (value: unknown): unknown => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)))

describe('the written input', () => {
  test('has the same values as the plain form, for any bytes and any references', () => {
    fc.assert(
      fc.property(anyReferences, anyContext, anyRawHead, (references, context, head) => {
        assert.deepEqual(seen(references, context, head), plain(toPolicyInput(context, head, references)))
      }),
      { numRuns: 3_000 },
    )
  })

  test('has the same values as the plain form for heads that http lets through', () => {
    fc.assert(
      fc.property(anyReferences, anyContext, anyParsedHead, (references, context, head) => {
        assert.deepEqual(seen(references, context, head), plain(toPolicyInput(context, head, references)))
      }),
      { numRuns: 1_000 },
    )
  })

  test('shows a policy that reads all of it all of it', () => {
    const head = createTestHead('GET /accounts/a%20b?x=1', [
      'x-role: a',
      'X-Role: b',
      'connection: close',
      'x-request-id: mine',
    ])
    assert.deepEqual(write(WHOLE_INPUT, createTestContext(), head), {
      caller: {
        spiffe_id: 'spiffe://bank.test/gateway',
        trust_domain: 'bank.test',
        path: '/gateway',
        service: 'gateway',
        segments: ['gateway'],
      },
      service: { name: 'accounts', spiffe_id: 'spiffe://bank.test/accounts', trust_domain: 'bank.test' },
      direction: 'inbound',
      version: { ext_authz: 'v3', encoding: 'protojson' },
      source_principal: 'spiffe://bank.test/gateway',
      attributes: {
        source: {
          address: { socketAddress: { address: '127.0.0.1', portValue: 50_000 } },
          principal: 'spiffe://bank.test/gateway',
        },
        destination: {
          address: { socketAddress: { address: '127.0.0.1', portValue: 7443 } },
          principal: 'spiffe://bank.test/accounts',
        },
        request: {
          http: {
            scheme: 'https',
            method: 'GET',
            path: '/accounts/a%20b?x=1',
            host: 'accounts.mesh',
            protocol: 'HTTP/1.1',
            query: 'x=1',
            headers: {
              host: 'accounts.mesh',
              'x-role': 'a, b',
              ':authority': 'accounts.mesh',
              ':method': 'GET',
              ':path': '/accounts/a%20b?x=1',
              ':scheme': 'https',
            },
          },
        },
      },
      parsed_path: ['accounts', 'a b'],
      parsed_query: { x: ['1'] },
    })
  })

  test('has nothing but what is read', () => {
    const references = [['caller', 'path'], ['parsed_path'], ['attributes', 'request', 'http', 'headers', 'x-role']]
    assert.deepEqual(write(references, createTestContext(), createTestHead('GET /a', ['x-role: r', 'x-user: u'])), {
      caller: { path: '/gateway' },
      attributes: { request: { http: { headers: { 'x-role': 'r' } } } },
      parsed_path: ['a'],
    })
  })

  test('leaves out a header that is not there, for "not" must still see that', () => {
    const references = [['attributes', 'request', 'http', 'headers', 'x-role']]
    assert.deepEqual(write(references, createTestContext(), createTestHead('GET /a')), {
      attributes: { request: { http: { headers: {} } } },
    })
  })

  test('never shows headers that the sidecar sets itself', () => {
    const head = createTestHead('GET /a', ['x-forwarded-client-cert: URI=spiffe://bank.test/ledger', 'x-request-id: 1'])
    for (const name of ['x-forwarded-client-cert', 'x-request-id']) {
      const references = [
        ['attributes', 'request', 'http', 'headers', name],
        ['attributes', 'request', 'http', 'headers', 'x'],
      ]
      assert.deepEqual(write(references, createTestContext(), head), {
        attributes: { request: { http: { headers: {} } } },
      })
    }
  })

  test('tells all header bytes apart', () => {
    const bytes = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join('')
    const document = write(
      [['attributes', 'request', 'http', 'headers', 'x-role']],
      createTestContext(),
      new RawHead('GET', '/', undefined, [['x-role', bytes]]),
    )
    assert.deepEqual(document, { attributes: { request: { http: { headers: { 'x-role': bytes } } } } })
  })

  test('has no form where a query or path that is read has none, and does not care where it is not', () => {
    const head = createTestHead('GET /a?b;c')
    assert.equal(write([['parsed_query']], createTestContext(), head), undefined)
    assert.equal(write(WHOLE_INPUT, createTestContext(), head), undefined)
    assert.deepEqual(write([['parsed_path']], createTestContext(), head), { parsed_path: ['a'] })
    assert.equal(write([['parsed_path']], createTestContext(), createTestHead('GET /a%ff')), undefined)
  })

  test('is refused for a service name that could pass for a part of the request', () => {
    const context = { ...createTestContext(), service: '\0method' }
    assert.throws(() => new Projection(WHOLE_INPUT).bind(context), { code: 'ERR_POLICY_INPUT' })
  })

  test('is refused rather than cut when memory is short', () => {
    const projection = new Projection(WHOLE_INPUT)
    const input = projection.bind(createTestContext())
    const head = createTestHead('GET /a', [`x: ${'"'.repeat(2_000)}`])
    const whole = new Uint8Array(1_000_000)
    const length = projection.write(input, head, whole, 0)
    assert(length > 4_000)
    for (const room of [0, 100, length - 1, length]) {
      assert.equal(projection.write(input, head, new Uint8Array(room), 0), NOT_REPRESENTABLE)
    }
    assert.equal(projection.write(input, head, whole, whole.length - length), NOT_REPRESENTABLE)
  })
})

test('what is picked is what is reached', () => {
  const document = { a: { b: 1, c: [1] }, d: null, e: 'text' }
  assert.deepEqual(pick(document, []), {})
  assert.deepEqual(pick(document, [['a', 'b'], ['d', 'x'], ['e', 'x'], ['f']]), { a: { b: 1 }, d: null, e: 'text' })
  assert.deepEqual(pick(document, [['a'], ['a', 'b']]), { a: { b: 1, c: [1] } })
  assert.equal(pick(document, [[]]), document)
})
