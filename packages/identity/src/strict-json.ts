import { IdentityError } from './error.ts'

/**
 * JSON as security documents need it (RFC 8259 and the stricter RFC 7493). Two parsers must not read one document
 * differently: a member that is there twice is refused, and so is text that is not well-formed Unicode, also behind
 * `\u` escapes. The sender chooses the text, so its length, its depth and the number of its values are bounded.
 */
export interface StrictJsonOptions {
  /** UTF-16 units, or bytes when bytes are given. */
  readonly maxLength: number
  readonly maxDepth?: number
  readonly maxValues?: number
  /** Numbers without fraction and exponent arrive as `bigint`, exact; else they are rounded as `JSON.parse` does. */
  readonly integers?: 'number' | 'bigint'
}

const MAX_DEPTH = 16
const MAX_VALUES = 100_000
const MAX_NUMBER_CHARACTERS = 64
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y
const SPACE = /[ \t\n\r]*/y
const WORDS = [
  ['true', true],
  ['false', false],
  ['null', null],
] as const

/** One JSON document → its value, members as own properties of plain objects. Throws `ERR_JSON`, without the text. */
export function parseStrictJson(document: string | Uint8Array, options: StrictJsonOptions): unknown {
  if (document.length > options.maxLength) throw refusal('it is too long')
  const text = typeof document === 'string' ? document : decodeUtf8(document)
  if (!text.isWellFormed()) throw refusal('it is not well-formed Unicode')
  const scanner: Scanner = { text, at: 0, depth: 0, values: 0, options }
  skipSpace(scanner)
  const value = readValue(scanner)
  skipSpace(scanner)
  if (scanner.at < text.length) throw refusal('something follows its value', scanner)
  return value
}

interface Scanner {
  readonly text: string
  readonly options: StrictJsonOptions
  at: number
  depth: number
  values: number
}

function readValue(scanner: Scanner): unknown {
  const { text, at, options } = scanner
  if (++scanner.values > (options.maxValues ?? MAX_VALUES)) throw refusal('it holds too many values')
  if (text[at] === '{') return readNested(scanner, readObject)
  if (text[at] === '[') return readNested(scanner, readArray)
  if (text[at] === '"') return readString(scanner)
  const word = WORDS.find(([name]) => text.startsWith(name, at))
  if (!word) return readNumber(scanner)
  scanner.at += word[0].length
  return word[1]
}

function readNested<T>(scanner: Scanner, read: (scanner: Scanner) => T): T {
  if (++scanner.depth > (scanner.options.maxDepth ?? MAX_DEPTH)) throw refusal('it is nested too deeply')
  const value = read(scanner)
  scanner.depth--
  return value
}

function readObject(scanner: Scanner): Record<string, unknown> {
  const members = new Map<string, unknown>()
  readItems(scanner, '}', () => {
    if (scanner.text[scanner.at] !== '"') throw refusal('a member has no name', scanner)
    const name = readString(scanner)
    if (members.has(name)) throw refusal('a member is there twice', scanner)
    skipSpace(scanner)
    if (scanner.text[scanner.at++] !== ':') throw refusal('a member has no value', scanner)
    skipSpace(scanner)
    members.set(name, readValue(scanner))
  })
  return Object.fromEntries(members)
}

function readArray(scanner: Scanner): unknown[] {
  const items: unknown[] = []
  readItems(scanner, ']', () => items.push(readValue(scanner)))
  return items
}

/** From the opening bracket to the closing one. */
function readItems(scanner: Scanner, end: string, readItem: () => void): void {
  scanner.at++
  skipSpace(scanner)
  if (scanner.text[scanner.at] === end) return void scanner.at++
  for (;;) {
    readItem()
    skipSpace(scanner)
    const next = scanner.text[scanner.at++]
    if (next === end) return
    if (next !== ',') throw refusal('a list is not well formed', scanner)
    skipSpace(scanner)
  }
}

/** Finds the closing quote; `JSON.parse` then reads this one token, escapes and forbidden characters included. */
function readString(scanner: Scanner): string {
  const { text, at } = scanner
  let end = text.indexOf('"', at + 1)
  while (end >= 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1)
  if (end < 0) throw refusal('a text does not end', scanner)
  const value = readToken(scanner, text.slice(at, end + 1))
  if (!value.isWellFormed()) throw refusal('a text is not well-formed Unicode', scanner)
  scanner.at = end + 1
  return value
}

function isEscaped(text: string, quote: number): boolean {
  let first = quote
  while (text[first - 1] === '\\') first--
  return (quote - first) % 2 === 1
}

function readToken(scanner: Scanner, token: string): string {
  try {
    return JSON.parse(token) as string
  } catch {
    throw refusal('a text is not well formed', scanner)
  }
}

function readNumber(scanner: Scanner): number | bigint {
  NUMBER.lastIndex = scanner.at
  const [digits, fraction, exponent] = NUMBER.exec(scanner.text) ?? []
  if (digits === undefined) throw refusal('there is no value', scanner)
  if (digits.length > MAX_NUMBER_CHARACTERS) throw refusal('a number is too long', scanner)
  scanner.at += digits.length
  if (scanner.options.integers === 'bigint' && (fraction ?? exponent) === undefined) return BigInt(digits)
  const value = Number(digits)
  if (!Number.isFinite(value)) throw refusal('a number is too large', scanner)
  return value
}

function skipSpace(scanner: Scanner): void {
  SPACE.lastIndex = scanner.at
  scanner.at += SPACE.exec(scanner.text)![0].length
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw refusal('it is not UTF-8')
  }
}

function refusal(fault: string, scanner?: Scanner): IdentityError {
  return new IdentityError('ERR_JSON', `the JSON is refused: ${fault}${scanner ? ` (at ${scanner.at})` : ''}`)
}

/** A JSON object, which an array is not. */
export function isJsonObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
