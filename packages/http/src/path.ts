/**
 * The path and query of a request target, accepted only in a form that every reader understands alike. Path
 * normalisation is where policy bypasses live (a proxy decides on `/a//b`, `/a/%2e%2e/b` or `/a%2Fb`, the application
 * serves something else), so nothing is normalised here: what could be is refused, and policy and application see the
 * same bytes. Refused in a path: empty and dot segments (also percent-encoded, also with `;parameters`), encoded slash,
 * backslash and NUL, a raw backslash. Refused anywhere: fragments, control bytes, non-ASCII bytes, bad percent escapes.
 */
import { HEX_VALUE, SP } from './octets.ts'

/** What the scans return besides an offset. */
export const TARGET_INCOMPLETE = -1
export const TARGET_INVALID = -2
export const TARGET_AMBIGUOUS = -3
export const TARGET_BAD_ESCAPE = -4

const SLASH = 0x2f
const DOT = 0x2e
const PERCENT = 0x25
const QUESTION = 0x3f
const SEMICOLON = 0x3b
const BACKSLASH = 0x5c
const HASH = 0x23

/** 0 = refused, 1 = ordinary, 2 = has a meaning in a path. */
const PATH_BYTE = new Uint8Array(256).fill(1, 0x21, 0x7f)
for (const byte of [SLASH, PERCENT, QUESTION]) PATH_BYTE[byte] = 2
for (const byte of [BACKSLASH, HASH]) PATH_BYTE[byte] = 0

/** From the leading slash. Returns where the path ends: at the question mark or the space. */
export function scanPath(bytes: Uint8Array, from: number, to: number): number {
  let segmentStart = from + 1
  for (let pos = segmentStart; pos < to; pos++) {
    const byte = bytes[pos]!
    const kind = PATH_BYTE[byte]
    if (kind === 1) continue
    if (kind === 2 && byte === PERCENT) {
      if (pos + 2 >= to) return unfinishedEscape(bytes, pos, to)
      const value = escapedByte(bytes, pos)
      if (value < 0) return TARGET_BAD_ESCAPE
      if (value === SLASH || value === BACKSLASH || value === 0) return TARGET_AMBIGUOUS
      pos += 2
      continue
    }
    if (kind === 0 && byte !== SP) return byte === BACKSLASH ? TARGET_AMBIGUOUS : TARGET_INVALID
    if (isDotSegment(bytes, segmentStart, pos)) return TARGET_AMBIGUOUS
    if (byte !== SLASH) return pos
    if (pos === segmentStart) return TARGET_AMBIGUOUS
    segmentStart = pos + 1
  }
  return TARGET_INCOMPLETE
}

/** From the byte after the question mark. Returns where the query ends: at the space. */
export function scanQuery(bytes: Uint8Array, from: number, to: number): number {
  for (let pos = from; pos < to; pos++) {
    const byte = bytes[pos]!
    if (byte === SP) return pos
    if (byte === PERCENT) {
      if (pos + 2 >= to) return unfinishedEscape(bytes, pos, to)
      if (escapedByte(bytes, pos) < 0) return TARGET_BAD_ESCAPE
      pos += 2
    } else if (byte <= SP || byte >= 0x7f || byte === HASH) return TARGET_INVALID
  }
  return TARGET_INCOMPLETE
}

/** `.` and `..`, each dot plain or as `%2e`, alone or before path parameters (`..;x`), which some servers cut off. */
function isDotSegment(bytes: Uint8Array, start: number, end: number): boolean {
  let pos = start
  let dots = 0
  while (pos < end) {
    if (bytes[pos] === DOT) pos += 1
    else if (bytes[pos] === PERCENT && escapedByte(bytes, pos) === DOT) pos += 3
    else break
    dots += 1
  }
  if (dots === 0 || dots > 2) return false
  if (pos === end || bytes[pos] === SEMICOLON) return true
  return bytes[pos] === PERCENT && escapedByte(bytes, pos) === SEMICOLON
}

function escapedByte(bytes: Uint8Array, percentAt: number): number {
  const high = HEX_VALUE[bytes[percentAt + 1]!]!
  const low = HEX_VALUE[bytes[percentAt + 2]!]!
  return high > 15 || low > 15 ? -1 : high * 16 + low
}

/** Judges what is there, so that the result does not depend on where the received bytes happen to end. */
function unfinishedEscape(bytes: Uint8Array, percentAt: number, to: number): number {
  return percentAt + 1 < to && HEX_VALUE[bytes[percentAt + 1]!]! > 15 ? TARGET_BAD_ESCAPE : TARGET_INCOMPLETE
}
