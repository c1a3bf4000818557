import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { Secret } from '@picket/runtime'
import { IdentityError } from './error.ts'
import { generateKeys, generateKeysAsync, keyAlgorithmOf, type KeyAlgorithm } from './key-algorithm.ts'

/** A private key that neither prints nor serialises by accident. */
export type PrivateKey = Secret<KeyObject>

export interface KeyPair {
  readonly algorithm: KeyAlgorithm
  readonly privateKey: PrivateKey
  readonly publicKey: KeyObject
}

/** A fresh key pair from the system's generator. */
export function generateKeyPair(algorithm: KeyAlgorithm = 'ec-p256'): KeyPair {
  const { privateKey, publicKey } = generateKeys(algorithm)
  return remember({ algorithm, privateKey: new Secret(privateKey), publicKey })
}

/** The same without stopping the process meanwhile: an RSA key of 4096 bits takes seconds. */
export async function generateKeyPairAsync(algorithm: KeyAlgorithm = 'ec-p256'): Promise<KeyPair> {
  const { privateKey, publicKey } = await generateKeysAsync(algorithm)
  return remember({ algorithm, privateKey: new Secret(privateKey), publicKey })
}

/** The pair that a private key belongs to. */
export function toKeyPair(privateKey: PrivateKey): KeyPair {
  const pair = pairs.get(privateKey)
  if (pair) return pair
  const key = privateKey.reveal()
  return remember({ algorithm: keyAlgorithmOf(key), privateKey, publicKey: createPublicKey(key) })
}

/** One public key object to each private one: what is known of it need not be found out twice. */
const pairs = new WeakMap<PrivateKey, KeyPair>()

function remember(pair: KeyPair): KeyPair {
  pairs.set(pair.privateKey, pair)
  return pair
}

/** Unencrypted PKCS #8. The result is secret; give it to a sealed or private file only. */
export function encodePrivateKeyPem(privateKey: PrivateKey): string {
  return privateKey.reveal().export({ type: 'pkcs8', format: 'pem' }).toString()
}

/**
 * PKCS #8 (and the older SEC 1 form, which `openssl ecparam` writes) → a private key of a supported algorithm.
 * Throws `ERR_KEY` or `ERR_UNSUPPORTED_ALGORITHM`, never with key material in message or cause.
 */
export function parsePrivateKeyPem(pem: string): PrivateKey {
  if (/-----BEGIN ENCRYPTED|^Proc-Type: 4,ENCRYPTED/m.test(pem)) {
    throw new IdentityError('ERR_KEY', 'the private key is encrypted with a passphrase: give it decrypted')
  }
  const key = readPrivateKey(pem)
  keyAlgorithmOf(key)
  return new Secret(key)
}

function readPrivateKey(pem: string): KeyObject {
  try {
    return createPrivateKey({ key: pem, format: 'pem' })
  } catch {
    throw new IdentityError('ERR_KEY', 'there is no readable private key in the PEM text')
  }
}
