import type { ParsedDraft } from '@picket/control-plane'
import { parseEntryDraft } from '@picket/control-plane'
import type { TrustDomain } from '@picket/identity'
import type { EntryDraft } from '@picket/rpc'
import { codeOf, messageOf, nearestName } from '@picket/runtime'
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments, type Node } from 'yaml'
import { parseTtlSeconds } from '../arguments.ts'
import { CliError } from '../error.ts'

/** One entry as a file wants it. */
export interface WantedEntry {
  /** `FILE:LINE`. */
  readonly place: string
  /** For messages alone. */
  readonly name: string
  readonly draft: EntryDraft
  /** Where each of its fields stands, by the field's name in the file, with `[INDEX]` for members of lists. */
  readonly places: ReadonlyMap<string, string>
}

/** The same as the control plane would store it. */
export interface DesiredEntry extends ParsedDraft {
  readonly place: string
}

const KEYS = ['name', 'spiffe_id', 'selectors', 'ttl', 'dns_names', 'service', 'hint', 'federates_with'] as const
type Key = (typeof KEYS)[number]

const MAX_CHARACTERS = 64 * 1024 * 1024
const MOST_ENTRIES = 100_000
const MOST_PROBLEMS = 50

/**
 * Entries out of YAML (and with it JSON): documents that each are one entry, or hold a list under `entries`. Throws
 * `ERR_CONFIG_FILE` with every problem of form, one a line, each as `FILE:LINE: PATH: …`.
 */
export function parseEntriesFile(text: string, file: string): readonly WantedEntry[] {
  if (text.length > MAX_CHARACTERS)
    throw new CliError('ERR_CONFIG_FILE', `${file}: larger than ${MAX_CHARACTERS} characters`)
  const lines = new LineCounter()
  const reader = new Reader((node) => `${file}:${lines.linePos(node?.range?.[0] ?? 0).line || 1}`)
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, version: '1.2' })
  const documents = 'empty' in parsed ? [] : parsed
  for (const { errors } of documents) {
    for (const error of errors) reader.problems.push(`${file}:${lines.linePos(error.pos[0]).line}: ${error.message}`)
  }
  if (reader.problems.length === 0) for (const { contents } of documents) reader.readDocument(contents)
  return reader.finish(file)
}

/** Each entry checked as the control plane checks it. Throws `ERR_CONFIG_FILE` as `parseEntriesFile` does. */
export function toDesired(wanted: readonly WantedEntry[], trustDomain: TrustDomain): readonly DesiredEntry[] {
  const problems: string[] = []
  const seen = new Map<string, string>()
  const desired = wanted.flatMap(({ place, name, draft, places }) => {
    try {
      const spiffeId = draft.spiffeId.startsWith('/') ? `${trustDomain.id}${draft.spiffeId}` : draft.spiffeId
      const parsed = parseEntryDraft({ ...draft, spiffeId }, trustDomain)
      const key = `${parsed.spiffeId.text} for ${parsed.selectors.join(' ')}`
      const before = seen.get(key)
      if (before !== undefined) problems.push(`${place}: ${name}: ${key} is in ${before} already`)
      seen.set(key, place)
      return [{ ...parsed, place }]
    } catch (thrown) {
      if (codeOf(thrown) !== 'ERR_ENTRY_INVALID') throw thrown
      problems.push(
        ...messageOf(thrown)
          .split('\n')
          .map((line) => located(line, places, place, name)),
      )
      return []
    }
  })
  refuse(problems)
  return desired
}

/** `selectors[1]: …` → the line that it stands on. */
function located(line: string, places: ReadonlyMap<string, string>, place: string, name: string): string {
  const [field = ''] = /^[a-z_]+(?:\[\d+\])?/.exec(line) ?? []
  const shown = field === 'ttl_seconds' ? 'ttl' : field
  return `${places.get(shown) ?? place}: ${name}.${shown}${line.slice(field.length)}`
}

function refuse(problems: readonly string[]): void {
  if (problems.length === 0) return
  const more = problems.length > MOST_PROBLEMS ? [`and ${problems.length - MOST_PROBLEMS} more`] : []
  throw new CliError('ERR_CONFIG_FILE', [...problems.slice(0, MOST_PROBLEMS), ...more].join('\n'))
}

class Reader {
  readonly problems: string[] = []
  readonly #entries: WantedEntry[] = []
  readonly #names = new Map<string, string>()
  readonly #placeOf: (node: Node | null) => string

  constructor(placeOf: (node: Node | null) => string) {
    this.#placeOf = placeOf
  }

  readDocument(contents: Node | null): void {
    if (!contents || (isScalar(contents) && contents.value === null)) return
    if (!isMap(contents)) return this.#complain(contents, 'expected "entries:" with a list, or one entry')
    const [first] = contents.items
    if (contents.items.length !== 1 || !isScalar(first?.key) || first.key.value !== 'entries') {
      return this.#readEntry(contents)
    }
    const list = first.value as Node | null
    if (!isSeq(list)) return this.#complain(list ?? contents, 'entries: expected a list')
    for (const item of list.items as (Node | null)[]) this.#readEntry(item ?? list)
  }

  finish(file: string): readonly WantedEntry[] {
    if (this.#entries.length > MOST_ENTRIES) this.problems.push(`${file}: more than ${MOST_ENTRIES} entries`)
    refuse(this.problems)
    return this.#entries
  }

  #readEntry(node: Node): void {
    const path = `entries[${this.#entries.length}]`
    if (!isMap(node)) return this.#complain(node, `${path}: expected an entry, "key: value" lines`)
    const fields = new Map<Key, Node>()
    for (const { key, value } of node.items) {
      const name = isScalar(key) ? String(key.value) : ''
      const known = KEYS.find((one) => one === name)
      if (known === undefined) this.#complain(key as Node, `${path}: ${unknownKey(name)}`)
      else if (value) fields.set(known, value as Node)
    }
    this.#addEntry(node, path, fields)
  }

  #addEntry(node: Node, path: string, fields: ReadonlyMap<Key, Node>): void {
    const places = new Map<string, string>()
    const text = (key: Key): string => this.#textOf(fields.get(key), `${path}.${key}`, key, places) ?? ''
    const list = (key: Key): readonly string[] => this.#listOf(fields.get(key), `${path}.${key}`, key, places)
    const name = text('name')
    const before = this.#names.get(name)
    if (before !== undefined) this.#complain(fields.get('name')!, `${path}.name: "${name}" is in ${before} already`)
    if (name !== '') this.#names.set(name, this.#placeOf(node))
    for (const key of ['spiffe_id', 'selectors'] as const) {
      if (!fields.has(key)) this.#complain(node, `${path}: ${key} is missing`)
    }
    const draft: EntryDraft = {
      spiffeId: text('spiffe_id'),
      selectors: list('selectors'),
      ttlSeconds: this.#ttlOf(fields.get('ttl'), text('ttl'), path),
      dnsNames: list('dns_names'),
      service: text('service'),
      hint: text('hint'),
      federatesWith: list('federates_with'),
    }
    this.#entries.push({ place: this.#placeOf(node), name: name === '' ? path : name, draft, places })
  }

  #ttlOf(node: Node | undefined, text: string, path: string): number {
    if (!node || text === '') return 0
    try {
      return parseTtlSeconds(text)
    } catch (thrown) {
      this.#complain(node, `${path}.ttl: ${messageOf(thrown)}`)
      return 0
    }
  }

  #listOf(node: Node | undefined, path: string, key: string, places: Map<string, string>): readonly string[] {
    if (!node) return []
    places.set(key, this.#placeOf(node))
    if (!isSeq(node)) {
      this.#complain(node, `${path}: expected a list`)
      return []
    }
    return (node.items as (Node | null)[]).flatMap((item, index) => {
      const text = this.#textOf(item ?? node, `${path}[${index}]`, `${key}[${index}]`, places)
      return text === undefined ? [] : [text]
    })
  }

  /** The value as it was written: `0o17`, `1e3` and `007` stay themselves. */
  #textOf(node: Node | undefined, path: string, key: string, places: Map<string, string>): string | undefined {
    if (!node) return undefined
    places.set(key, this.#placeOf(node))
    if (isScalar(node) && node.value !== null) {
      return typeof node.value === 'string' ? node.value : (node.source ?? '')
    }
    const why = isAlias(node) ? 'aliases are not read here: write the value' : 'expected a value'
    this.#complain(node, `${path}: ${why}`)
    return undefined
  }

  #complain(node: Node | null, problem: string): void {
    this.problems.push(`${this.#placeOf(node)}: ${problem}`)
  }
}

function unknownKey(name: string): string {
  const nearest = nearestName(name, KEYS)
  return `unknown key "${name}"${nearest === undefined ? `: use ${KEYS.join(', ')}` : `: did you mean "${nearest}"?`}`
}
