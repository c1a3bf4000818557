import { parsePath } from './target.ts'

/**
 * JSON values written as bytes, straight from received bytes and without strings in between. Each writer puts its value
 * at `at` and returns the offset behind it. None checks for room: the caller does, once, with `LONGEST_ESCAPE`.
 */
export const NOT_REPRESENTABLE = -1

const QUOTE = 0x22
const COMMA = 0x2c
const DOT = 0x2e
const SLASH = 0x2f
const OPEN = 0x5b
const BACKSLASH = 0x5c
const CLOSE = 0x5d
const PERCENT = 0x25

/** The most bytes that one byte becomes: `\u00XX`. */
export const LONGEST_ESCAPE = 6

const HEX = Buffer.from('0123456789abcdef', 'latin1')

/** 0 = stands for itself in a JSON string, 1 = is written as an escape. */
const SPECIAL = new Uint8Array(256)
SPECIAL.fill(1, 0, 0x20)
SPECIAL.fill(1, 0x7f)
SPECIAL[QUOTE] = SPECIAL[BACKSLASH] = 1

/** Bytes that end the fast run through a path: separators, escapes, and all that `SPECIAL` has. */
const PATH_SPECIAL = SPECIAL.slice()
PATH_SPECIAL[SLASH] = PATH_SPECIAL[PERCENT] = PATH_SPECIAL[DOT] = PATH_SPECIAL[0x20] = 1

/** `bytes[start, end)` as a JSON string. Bytes above 0x7f are taken as Latin-1, which tells all of them apart. */
export function writeString(view: Uint8Array, at: number, bytes: Uint8Array, start: number, end: number): number {
  view[at++] = QUOTE
  at = writeContents(view, at, bytes, start, end)
  view[at++] = QUOTE
  return at
}

/** What stands between the quotes. */
export function writeContents(view: Uint8Array, at: number, bytes: Uint8Array, start: number, end: number): number {
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!
    if (SPECIAL[byte] === 0) view[at++] = byte
    else at = writeSpecial(view, at, byte)
  }
  return at
}

function writeSpecial(view: Uint8Array, at: number, byte: number): number {
  view[at++] = BACKSLASH
  if (byte === QUOTE || byte === BACKSLASH) {
    view[at++] = byte
    return at
  }
  view[at++] = 0x75
  view[at++] = view[at++] = 0x30
  view[at++] = HEX[byte >> 4]!
  view[at++] = HEX[byte & 15]!
  return at
}

/**
 * `bytes[start, end)` as the array of path segments that `parsePath` gives. Plain segments are copied; a path with
 * anything out of the ordinary (escapes, dots, odd bytes) is left to `parsePath` itself. `NOT_REPRESENTABLE` when that
 * finds it ambiguous.
 */
export function writePath(view: Uint8Array, at: number, bytes: Buffer, start: number, end: number): number {
  const from = bytes[start] === SLASH ? start + 1 : start
  const begun = at
  view[at++] = OPEN
  view[at++] = QUOTE
  for (let i = from; i < end; i++) {
    const byte = bytes[i]!
    if (PATH_SPECIAL[byte] === 0) {
      view[at++] = byte
      continue
    }
    if (byte !== SLASH || i === from || bytes[i - 1] === SLASH) return writeUnusualPath(view, begun, bytes, start, end)
    view[at++] = QUOTE
    view[at++] = COMMA
    view[at++] = QUOTE
  }
  view[at++] = QUOTE
  view[at++] = CLOSE
  return at
}

function writeUnusualPath(view: Uint8Array, at: number, bytes: Buffer, start: number, end: number): number {
  const segments = parsePath(bytes.toString('latin1', start, end))
  return segments ? writeJson(view, at, segments) : NOT_REPRESENTABLE
}

/** Any value through `JSON.stringify`: for the parts that are not worth a writer. */
export function writeJson(view: Uint8Array, at: number, value: unknown): number {
  return writeBytes(view, at, Buffer.from(JSON.stringify(value)))
}

export function writeBytes(view: Uint8Array, at: number, bytes: Uint8Array): number {
  view.set(bytes, at)
  return at + bytes.length
}
