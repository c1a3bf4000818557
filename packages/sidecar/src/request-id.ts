import type { Random } from '@picket/runtime'

/** Length of a request ID: 8-4-4-4-12 hex digits. */
export const REQUEST_ID_LENGTH = 36

/**
 * Request IDs in the shape of a UUID (version 4 and variant bits set): random for the process, then a counter that starts
 * at a random place. They are unique and cheap, not secret: making one is twelve byte writes into a buffer that already
 * holds the rest.
 */
export interface RequestIds {
  /** Writes the part that never changes; `next` then only writes the counter. */
  writePrefix(target: Buffer, at: number): void
  /** Writes the next ID over the last one, `at` as given to `writePrefix`. */
  next(target: Buffer, at: number): void
}

const HEX = Buffer.from('0123456789abcdef', 'latin1')
const COUNTER_AT = 24
const HALF = 2 ** 24

export function createRequestIds(random: Random): RequestIds {
  const hex = random.bytes(9).toString('hex')
  const prefix = Buffer.from(
    `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(12, 15)}-8${hex.slice(15, 18)}-000000000000`,
    'latin1',
  )
  let high = random.bytes(3).readUIntBE(0, 3)
  let low = random.bytes(3).readUIntBE(0, 3)
  return {
    writePrefix: (target, at) => void prefix.copy(target, at),
    next(target, at) {
      low += 1
      if (low === HALF) {
        low = 0
        high = (high + 1) % HALF
      }
      writeHex(target, at + COUNTER_AT, high)
      writeHex(target, at + COUNTER_AT + 6, low)
    },
  }
}

/** 24 bits as six hex digits. */
function writeHex(target: Buffer, at: number, value: number): void {
  target[at] = HEX[value >>> 20]!
  target[at + 1] = HEX[(value >>> 16) & 15]!
  target[at + 2] = HEX[(value >>> 12) & 15]!
  target[at + 3] = HEX[(value >>> 8) & 15]!
  target[at + 4] = HEX[(value >>> 4) & 15]!
  target[at + 5] = HEX[value & 15]!
}
