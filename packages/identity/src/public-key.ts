import { createPublicKey, hash, type KeyObject } from 'node:crypto'
import type { DerElement } from './der-element.ts'
import { parseDer } from './der.ts'
import { IdentityError } from './error.ts'
import { encodePem } from './pem.ts'
import { readPublicKeyInfo, type PublicKeyAlgorithm } from './key-algorithm.ts'

/**
 * A SubjectPublicKeyInfo. Its form is checked when it is read; making a `KeyObject` of it (which checks that the point
 * lies on its curve) costs more than reading a whole certificate, so that happens when the key is first used.
 */
export class PublicKeyInfo {
  readonly der: Buffer
  readonly algorithm: PublicKeyAlgorithm
  readonly #keyOctets: Buffer
  #keyId: string | undefined
  #key: KeyObject | undefined

  /** Throws `ERR_DER`, `ERR_KEY`, `ERR_UNSUPPORTED_ALGORITHM`. */
  constructor(spki: DerElement) {
    const { algorithm, keyOctets } = readPublicKeyInfo(spki)
    this.der = spki.der
    this.algorithm = algorithm
    this.#keyOctets = keyOctets
  }

  /**
   * What identifies the key in SKI and AKI extensions: the first 160 bits of SHA-256 over the key's octets, in
   * hexadecimal (RFC 7093 section 2, method 1).
   */
  get keyId(): string {
    this.#keyId ??= hash('sha256', this.#keyOctets, 'hex').slice(0, 40)
    return this.#keyId
  }

  /** Throws `ERR_KEY` when the octets are no key after all. */
  get key(): KeyObject {
    this.#key ??= importKey(this.der)
    return this.#key
  }
}

const known = new WeakMap<KeyObject, PublicKeyInfo>()

/** The SubjectPublicKeyInfo of a key that Node holds; asked for once for each, since the export costs 64 µs. */
export function toPublicKeyInfo(key: KeyObject): PublicKeyInfo {
  const info = known.get(key) ?? new PublicKeyInfo(parseDer(key.export({ type: 'spki', format: 'der' })))
  known.set(key, info)
  return info
}

/**
 * As PEM text, because Node finds out that an options object is neither of its kinds of key by four exceptions: 28 µs
 * instead of 64 for a P-256 key.
 */
function importKey(der: Buffer): KeyObject {
  try {
    return createPublicKey(encodePem(der, 'PUBLIC KEY'))
  } catch (cause) {
    throw new IdentityError('ERR_KEY', 'the public key is not a valid one', { cause })
  }
}
