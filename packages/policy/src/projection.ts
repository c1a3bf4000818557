import type { RequestHead } from '@picket/http'
import { PolicyError } from './error.ts'
import { assembleInput, HIDDEN_HEADERS, schemeOf, toHeaders, type InputContext, type RequestFields } from './input.ts'
import {
  LONGEST_ESCAPE,
  NOT_REPRESENTABLE,
  writeBytes,
  writeContents,
  writeJson,
  writePath,
  writeString,
} from './json-bytes.ts'
import { pick, type InputReference } from './reference.ts'
import { parseQuery } from './target.ts'

/**
 * The input document as bytes, cut down to what the policy reads: Rego spends more time on parsing its input than on the
 * policy (5.8 µs per KB). The document's shape comes from `assembleInput` with markers in the request's places; what lies
 * between the markers is constant and made once per connection. `toPolicyInput` is the plain form that the tests hold
 * this against.
 */
type RequestField = keyof RequestFields

const FIELDS = Object.keys({
  method: 1,
  path: 1,
  host: 1,
  protocol: 1,
  query: 1,
  headers: 1,
  parsedPath: 1,
  parsedQuery: 1,
} satisfies Record<RequestField, 1>) as readonly RequestField[]

/** What no constant part may look like: `bind` sees to it. */
const MARKERS = Object.fromEntries(FIELDS.map((field) => [field, `\0${field}`])) as unknown as RequestFields
const MARKER = /"\\u0000(\w+)"/

const HEADERS_PATH = ['attributes', 'request', 'http', 'headers']
const HTTP_1_0 = Buffer.from('"HTTP/1.0"')
const HTTP_1_1 = Buffer.from('"HTTP/1.1"')

const SPACE = 0x20
const QUOTE = 0x22
const COMMA = 0x2c
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

/** A byte of the head stands in at most four places (path, `:path`, parsed path, query). */
const MOST_EXPANSION = 4 * LONGEST_ESCAPE

/** A connection's own document: constant runs with a field of the request between each two. */
export interface ConnectionInput {
  readonly context: InputContext
  readonly runs: readonly Buffer[]
  readonly fields: readonly RequestField[]
  /** Room for everything that is not from the request, and then some. */
  readonly constantBytes: number
}

interface SoughtHeader {
  readonly name: string
  /** `"name":` */
  readonly key: Buffer
}

export class Projection {
  readonly references: readonly InputReference[]
  /** The headers that are read, or undefined for all of them. */
  readonly #headers: readonly SoughtHeader[] | undefined

  constructor(references: readonly InputReference[]) {
    this.references = references
    const names = headerNames(references)
    this.#headers = names?.map((name) => ({ name, key: Buffer.from(`${JSON.stringify(name)}:`) }))
  }

  /** Once per connection: everything that does not depend on the request. Throws `ERR_POLICY_INPUT`. */
  bind(context: InputContext): ConnectionInput {
    const { service, source, destination } = context
    if (`${service}${source?.host}${destination?.host}`.includes('\0')) {
      throw new PolicyError('ERR_POLICY_INPUT', 'a service name or address holds NUL')
    }
    const template = pick(assembleInput(context, MARKERS), this.references)
    const text = JSON.stringify(template)
    const pieces = text.split(MARKER)
    return {
      context,
      runs: pieces.filter((_, index) => index % 2 === 0).map((run) => Buffer.from(run)),
      fields: pieces.filter((_, index) => index % 2 === 1) as RequestField[],
      constantBytes: Buffer.byteLength(text) + 1024,
    }
  }

  /**
   * Writes the document to `view` from `at` on. Returns the offset behind it, or `NOT_REPRESENTABLE`: also when there is
   * not room for the worst case, for writes beyond a typed array vanish and Rego takes a cut document for none at all.
   */
  write(input: ConnectionInput, head: RequestHead, view: Uint8Array, at: number): number {
    if (view.length - at < input.constantBytes + MOST_EXPANSION * lengthOf(head)) return NOT_REPRESENTABLE
    const { runs, fields } = input
    let end = writeBytes(view, at, runs[0]!)
    for (let i = 0; i < fields.length; i++) {
      end = this.#writeField(fields[i]!, input, head, view, end)
      if (end === NOT_REPRESENTABLE) return NOT_REPRESENTABLE
      end = writeBytes(view, end, runs[i + 1]!)
    }
    return end
  }

  #writeField(
    field: RequestField,
    { context }: ConnectionInput,
    head: RequestHead,
    view: Uint8Array,
    at: number,
  ): number {
    switch (field) {
      case 'method':
        return writeString(view, at, head.bytes, head.methodStart, head.methodEnd)
      case 'path':
        return writeString(view, at, head.bytes, head.pathStart, head.queryEnd)
      case 'host':
        return writeString(view, at, head.bytes, head.hostStart, head.hostEnd)
      case 'query':
        return writeString(view, at, head.bytes, head.queryStart, head.queryEnd)
      case 'protocol':
        return writeBytes(view, at, head.version === '1.1' ? HTTP_1_1 : HTTP_1_0)
      case 'parsedPath':
        return writePath(view, at, head.bytes, head.pathStart, head.pathEnd)
      case 'parsedQuery': {
        const query = parseQuery(head.query)
        return query ? writeJson(view, at, query) : NOT_REPRESENTABLE
      }
      case 'headers':
        return this.#headers
          ? writeHeaders(this.#headers, head, view, at)
          : writeJson(view, at, toHeaders(head, schemeOf(context)))
    }
  }
}

/** Undefined when the policy reads all headers, or one that is made up here (`:path`) and so not in the head. */
function headerNames(references: readonly InputReference[]): readonly string[] | undefined {
  const names = new Set<string>()
  for (const reference of references) {
    if (!reference.every((key, index) => index >= HEADERS_PATH.length || key === HEADERS_PATH[index])) continue
    const name = reference[HEADERS_PATH.length]
    if (name === undefined || name.startsWith(':')) return undefined
    if (!HIDDEN_HEADERS.has(name)) names.add(name)
  }
  return [...names]
}

/** An object with those of the headers that are there; repeated ones become one value, so no key is written twice. */
function writeHeaders(headers: readonly SoughtHeader[], head: RequestHead, view: Uint8Array, at: number): number {
  const { bytes, offsets } = head
  const begun = at
  view[at++] = OPEN_BRACE
  for (const { name, key } of headers) {
    let index = head.indexOf(name)
    if (index < 0) continue
    if (at > begun + 1) view[at++] = COMMA
    at = writeBytes(view, at, key)
    view[at++] = QUOTE
    at = writeContents(view, at, bytes, offsets[4 * index + 2]!, offsets[4 * index + 3]!)
    while ((index = head.indexOf(name, index + 1)) >= 0) {
      view[at++] = COMMA
      view[at++] = SPACE
      at = writeContents(view, at, bytes, offsets[4 * index + 2]!, offsets[4 * index + 3]!)
    }
    view[at++] = QUOTE
  }
  view[at++] = CLOSE_BRACE
  return at
}

function lengthOf({ headerCount, offsets, methodStart, queryEnd }: RequestHead): number {
  return (headerCount === 0 ? queryEnd : offsets[4 * headerCount - 1]!) - methodStart
}
