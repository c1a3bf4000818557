/** Bytes of the HTTP grammar (RFC 9110 §5.6, RFC 9112 §2) as numbers and lookup tables: one load decides one byte. */
export const HTAB = 0x09
export const LF = 0x0a
export const CR = 0x0d
export const SP = 0x20
export const COLON = 0x3a

export const CRLF = Buffer.from('\r\n', 'latin1')
export const EMPTY = Buffer.alloc(0)

/** The lower-case form of each byte of a token, 0 for bytes that no token has. */
export const TOKEN_LOWER = tableOf("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz", (byte) => byte)
for (let byte = 0x41; byte <= 0x5a; byte++) TOKEN_LOWER[byte] = byte | 0x20

/** 1 for bytes that a field value may hold: visible ASCII, space, tab, and opaque bytes above 0x7f. */
export const FIELD_BYTE = new Uint8Array(256).fill(1, SP)
FIELD_BYTE[0x7f] = 0
FIELD_BYTE[HTAB] = 1

/** The value of each hex digit, 255 for other bytes. */
export const HEX_VALUE = new Uint8Array(256).fill(255)
for (let value = 0; value < 16; value++) {
  HEX_VALUE[value.toString(16).charCodeAt(0)] = value
  HEX_VALUE[value.toString(16).toUpperCase().charCodeAt(0)] = value
}

export function tableOf(characters: string, valueOf: (byte: number) => number): Uint8Array {
  const table = new Uint8Array(256)
  for (const byte of Buffer.from(characters, 'latin1')) table[byte] = valueOf(byte)
  return table
}

export function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39
}

/** True when `bytes` at `start` hold `lowerCase`, whatever their case. The caller knows that the lengths agree. */
export function equalsIgnoringCase(bytes: Uint8Array, start: number, lowerCase: Uint8Array): boolean {
  for (let i = 0; i < lowerCase.length; i++) if (TOKEN_LOWER[bytes[start + i]!] !== lowerCase[i]) return false
  return true
}
