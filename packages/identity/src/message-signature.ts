import { isSignature, signatureAlgorithmOf, signBytes } from './key-algorithm.ts'
import type { PrivateKey } from './key-pair.ts'
import type { PublicKeyInfo } from './public-key.ts'

/**
 * A signature over the message alone, by what keys of this kind sign with: for proofs of possession. The message must
 * begin with words of the protocol: whoever signs bytes that another chose signs that other's certificate.
 */
export function signMessage(message: Uint8Array, key: PrivateKey): Buffer {
  return signBytes(message, key.reveal())
}

/** Never throws: a key that is none, or a signature of another form, is a plain no. */
export function isMessageSignedBy(publicKeyInfo: PublicKeyInfo, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    const { name } = signatureAlgorithmOf(publicKeyInfo.algorithm)
    return isSignature(signature, name, message, publicKeyInfo.key)
  } catch {
    return false
  }
}
