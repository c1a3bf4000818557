import { HttpError } from './error.ts'
import { equalsIgnoringCase, TOKEN_LOWER } from './octets.ts'

/** A fixed set of lower-case header names, looked up by bytes. Build it once, at start. */
export interface HeaderNameSet {
  readonly names: readonly string[]
  /** 1 + the position in `names` of the name in `bytes[start, end)` (any case), or 0. `hash` is its `hashHeaderName`. */
  idOf(bytes: Uint8Array, start: number, end: number, hash: number): number
}

/** Throws `ERR_HTTP_INVALID_NAME` on a name that is not a lower-case token. */
export function createHeaderNameSet(names: readonly string[]): HeaderNameSet {
  return new HashedNames(names)
}

/** The hash that `HeaderFields` takes of each name while it validates it: one step per lower-case byte. */
export function hashHeaderName(name: string): number {
  let hash = 0
  for (let i = 0; i < name.length; i++) hash = (Math.imul(hash, 31) + name.charCodeAt(i)) | 0
  return hash
}

/** Open addressing over a table at most a quarter full: nearly every header that is not in the set costs one load. */
class HashedNames implements HeaderNameSet {
  readonly names: readonly string[]
  readonly #spelled: readonly Uint8Array[]
  readonly #hashes: Int32Array
  readonly #ids: Uint16Array
  readonly #mask: number

  constructor(names: readonly string[]) {
    for (const name of names) if (!isLowerCaseToken(name)) throw invalidName(name)
    const slots = 2 ** Math.ceil(Math.log2(Math.max(4, names.length * 4)))
    this.names = [...names]
    this.#spelled = names.map((name) => Buffer.from(name, 'latin1'))
    this.#hashes = new Int32Array(slots)
    this.#ids = new Uint16Array(slots)
    this.#mask = slots - 1
    names.forEach((name, index) => this.#insert(hashHeaderName(name), index + 1))
  }

  idOf(bytes: Uint8Array, start: number, end: number, hash: number): number {
    for (let slot = hash & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const id = this.#ids[slot]!
      if (id === 0) return 0
      if (this.#hashes[slot] !== hash) continue
      const name = this.#spelled[id - 1]!
      if (name.length === end - start && equalsIgnoringCase(bytes, start, name)) return id
    }
  }

  #insert(hash: number, id: number): void {
    let slot = hash & this.#mask
    while (this.#ids[slot] !== 0) slot = (slot + 1) & this.#mask
    this.#ids[slot] = id
    this.#hashes[slot] = hash
  }
}

function isLowerCaseToken(name: string): boolean {
  return name !== '' && [...Buffer.from(name)].every((byte) => TOKEN_LOWER[byte] === byte)
}

function invalidName(name: string): HttpError {
  return new HttpError('ERR_HTTP_INVALID_NAME', `not a lower-case header name: ${JSON.stringify(name)}`)
}
