/** Grammars of the few field values that decide how a message is read. Each takes the value's bytes, trimmed. */
import { COLON, equalsIgnoringCase, isDigit, tableOf, TOKEN_LOWER } from './octets.ts'

const CHUNKED = Buffer.from('chunked', 'latin1')
const KEEP_ALIVE = Buffer.from('keep-alive', 'latin1')
const CLOSE = Buffer.from('close', 'latin1')
const CONTINUE = Buffer.from('100-continue', 'latin1')
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
/** Fifteen digits are below 2 ** 53. */
const MAX_LENGTH_DIGITS = 15

const HOST_BYTE = tableOf('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._', () => 1)
const ADDRESS_BYTE = tableOf('abcdefABCDEF0123456789:.', () => 1)

/** The number, or -1: only digits, no sign, no list, no overflow (RFC 9112 §6.2). */
export function contentLengthOf(bytes: Uint8Array, start: number, end: number): number {
  if (end === start || end - start > MAX_LENGTH_DIGITS) return -1
  let length = 0
  for (let pos = start; pos < end; pos++) {
    if (!isDigit(bytes[pos])) return -1
    length = length * 10 + bytes[pos]! - 0x30
  }
  return length
}

export function isChunked(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start === CHUNKED.length && equalsIgnoringCase(bytes, start, CHUNKED)
}

export function isContinue(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start === CONTINUE.length && equalsIgnoringCase(bytes, start, CONTINUE)
}

/** `name`, `1.2.3.4` or `[::1]`, with an optional port (RFC 9110 §7.2); no user information, no escapes, not empty. */
export function isHost(bytes: Uint8Array, start: number, end: number): boolean {
  let pos = start
  if (bytes[pos] === OPEN_BRACKET && pos < end) {
    do pos++
    while (pos < end && ADDRESS_BYTE[bytes[pos]!] === 1)
    if (pos === end || bytes[pos] !== CLOSE_BRACKET || pos === start + 1) return false
    pos++
  } else {
    while (pos < end && HOST_BYTE[bytes[pos]!] === 1) pos++
    if (pos === start) return false
  }
  if (pos === end) return true
  if (bytes[pos] !== COLON || end - pos > 6 || end - pos < 2) return false
  for (pos += 1; pos < end; pos++) if (!isDigit(bytes[pos])) return false
  return true
}

/** `Keep-Alive: timeout=5, max=100`: the seconds, or undefined. */
export function keepAliveSecondsOf(bytes: Buffer, start: number, end: number): number | undefined {
  const found = /(?:^|[,\s])timeout=(\d{1,6})(?:$|[,\s])/i.exec(bytes.toString('latin1', start, end))
  return found ? Number(found[1]) : undefined
}

/** The options of a Connection header that are not `close` or `keep-alive`; undefined when it is not a token list. */
export interface ConnectionOptions {
  close: boolean
  keepAlive: boolean
  /** Lower-case names of fields that the sender means for this hop only. */
  readonly nominated: string[]
}

/** Reads one Connection value into `options`. False when an element is not a token (RFC 9110 §7.6.1). */
export function readConnection(bytes: Buffer, start: number, end: number, options: ConnectionOptions): boolean {
  const length = end - start
  if (length === KEEP_ALIVE.length && equalsIgnoringCase(bytes, start, KEEP_ALIVE)) return (options.keepAlive = true)
  if (length === CLOSE.length && equalsIgnoringCase(bytes, start, CLOSE)) return (options.close = true)
  for (const element of bytes.toString('latin1', start, end).toLowerCase().split(',')) {
    const option = element.trim()
    if (option === '') continue
    if (!isToken(option)) return false
    if (option === 'close') options.close = true
    else if (option === 'keep-alive') options.keepAlive = true
    else options.nominated.push(option)
  }
  return true
}

function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (!TOKEN_LOWER[text.charCodeAt(i)]) return false
  return true
}
