import fc from 'fast-check'
import { parseRequestHead, type RequestHead } from '@picket/http'
import type { InputReference } from './reference.ts'

/** A head of any bytes, also such as http refuses: what policy does with bytes must not hang on another package. */
export class RawHead implements RequestHead {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly target: string
  readonly version: '1.0' | '1.1'
  readonly bytes: Buffer
  readonly methodStart = 2
  readonly methodEnd: number
  readonly pathStart: number
  readonly pathEnd: number
  readonly queryStart: number
  readonly queryEnd: number
  readonly offsets: Uint32Array
  readonly #headers: readonly (readonly [string, string])[]

  constructor(
    method: string,
    path: string,
    query: string | undefined,
    headers: readonly (readonly [string, string])[],
    version: '1.0' | '1.1' = '1.1',
  ) {
    this.#headers = headers
    this.method = method
    this.path = path
    this.query = query ?? ''
    this.target = query === undefined ? path : `${path}?${query}`
    this.version = version
    this.methodEnd = this.methodStart + method.length
    this.pathStart = this.methodEnd + 1
    this.pathEnd = this.pathStart + path.length
    this.queryEnd = this.pathStart + this.target.length
    this.queryStart = this.queryEnd - this.query.length
    // The head starts somewhere, as in a connection's buffer; what stands between the parts is of no concern here.
    const text = `XX${method} ${this.target}${headers.flat().join('')}`
    this.bytes = Buffer.from(text, 'latin1')
    let end = this.queryEnd
    this.offsets = Uint32Array.from(headers.flat().flatMap((part) => [end, (end += part.length)]))
  }

  get headerCount(): number {
    return this.#headers.length
  }

  get hostStart(): number {
    return this.offsets[4 * this.indexOf('host') + 2] ?? 0
  }

  get hostEnd(): number {
    return this.offsets[4 * this.indexOf('host') + 3] ?? 0
  }

  get host(): string {
    return this.bytes.toString('latin1', this.hostStart, this.hostEnd)
  }

  indexOf(name: string, from = 0): number {
    return this.#headers.findIndex(([other], index) => index >= from && other === name)
  }

  isShown(): boolean {
    return true
  }

  header(name: string): string | undefined {
    const values = this.#headers.filter(([other]) => other === name).map(([, value]) => value)
    return values.length === 0 ? undefined : values.join(', ')
  }

  headers(): Record<string, string> {
    const names = new Set(this.#headers.map(([name]) => name))
    return Object.fromEntries([...names].map((name) => [name, this.header(name) ?? '']))
  }
}

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
export const anyRawHead: fc.Arbitrary<RequestHead> = fc
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
export const anyParsedHead: fc.Arbitrary<RequestHead> = fc
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

export const anyReferences: fc.Arbitrary<InputReference[]> = fc.subarray([...referencePaths])
