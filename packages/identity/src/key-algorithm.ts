import { generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto'
import type { DerElement } from './der-element.ts'
import { toOctets } from './der-reader.ts'
import { IdentityError } from './error.ts'

/**
 * Key and signature algorithms as data. Algorithm identifiers are compared as whole DER structures, parameters
 * included, so that an unusual curve or a stray parameter is an unknown algorithm and not a variant of a known one.
 */
export type KeyAlgorithm = 'ec-p256' | 'ec-p384' | 'ed25519'
export type SignatureAlgorithm = 'ecdsa-sha256' | 'ecdsa-sha384' | 'ecdsa-sha512' | 'ed25519'

interface KeyAlgorithmRow {
  /** DER of the SubjectPublicKeyInfo's AlgorithmIdentifier (RFC 5480, RFC 8410). */
  readonly identifier: Buffer
  /** How many octets the public key has, and which octet it starts with: 04 is an uncompressed EC point. */
  readonly keyOctets: number
  readonly firstOctet?: number
  /** What `KeyObject` calls it. */
  readonly keyType: 'ec' | 'ed25519'
  readonly namedCurve?: string
  /** What a key of this kind signs with. */
  readonly signature: SignatureAlgorithm
  readonly generate: () => { privateKey: KeyObject; publicKey: KeyObject }
}

interface SignatureAlgorithmRow {
  /** DER of the AlgorithmIdentifier (RFC 5758 section 3.2, RFC 8410). */
  readonly identifier: Buffer
  readonly keyType: 'ec' | 'ed25519'
  readonly digest: string | null
}

const KEY_ALGORITHMS = {
  'ec-p256': {
    identifier: Buffer.from('301306072a8648ce3d020106082a8648ce3d030107', 'hex'),
    keyOctets: 65,
    firstOctet: 0x04,
    keyType: 'ec',
    namedCurve: 'prime256v1',
    signature: 'ecdsa-sha256',
    generate: () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' }),
  },
  'ec-p384': {
    identifier: Buffer.from('301006072a8648ce3d020106052b81040022', 'hex'),
    keyOctets: 97,
    firstOctet: 0x04,
    keyType: 'ec',
    namedCurve: 'secp384r1',
    signature: 'ecdsa-sha384',
    generate: () => generateKeyPairSync('ec', { namedCurve: 'secp384r1' }),
  },
  ed25519: {
    identifier: Buffer.from('300506032b6570', 'hex'),
    keyOctets: 32,
    keyType: 'ed25519',
    signature: 'ed25519',
    generate: () => generateKeyPairSync('ed25519'),
  },
} as const satisfies Record<KeyAlgorithm, KeyAlgorithmRow>

const SIGNATURE_ALGORITHMS = {
  'ecdsa-sha256': { identifier: Buffer.from('300a06082a8648ce3d040302', 'hex'), keyType: 'ec', digest: 'sha256' },
  'ecdsa-sha384': { identifier: Buffer.from('300a06082a8648ce3d040303', 'hex'), keyType: 'ec', digest: 'sha384' },
  'ecdsa-sha512': { identifier: Buffer.from('300a06082a8648ce3d040304', 'hex'), keyType: 'ec', digest: 'sha512' },
  ed25519: { identifier: Buffer.from('300506032b6570', 'hex'), keyType: 'ed25519', digest: null },
} as const satisfies Record<SignatureAlgorithm, SignatureAlgorithmRow>

const keyRows = Object.entries(KEY_ALGORITHMS) as [KeyAlgorithm, KeyAlgorithmRow][]
const signatureRows = Object.entries(SIGNATURE_ALGORITHMS) as [SignatureAlgorithm, SignatureAlgorithmRow][]

export function generateKeys(algorithm: KeyAlgorithm): { privateKey: KeyObject; publicKey: KeyObject } {
  return KEY_ALGORITHMS[algorithm].generate()
}

/** The algorithm of a key that Node has read. Throws `ERR_UNSUPPORTED_ALGORITHM`. */
export function keyAlgorithmOf(key: KeyObject): KeyAlgorithm {
  const { asymmetricKeyType, asymmetricKeyDetails } = key
  const found = keyRows.find(
    ([, row]) => row.keyType === asymmetricKeyType && row.namedCurve === asymmetricKeyDetails?.namedCurve,
  )
  if (!found) throw new IdentityError('ERR_UNSUPPORTED_ALGORITHM', `keys of this kind are not supported`)
  return found[0]
}

/** The algorithm and the key octets of a SubjectPublicKeyInfo. Throws `ERR_UNSUPPORTED_ALGORITHM`, `ERR_KEY`. */
export function readPublicKeyInfo(spki: DerElement): { algorithm: KeyAlgorithm; keyOctets: Buffer } {
  const [identifier, bits] = spki.children
  const found = identifier && keyRows.find(([, row]) => row.identifier.equals(identifier.der))
  if (!found || !bits) throw new IdentityError('ERR_UNSUPPORTED_ALGORITHM', 'the public key algorithm is not supported')
  const [algorithm, row] = found
  const keyOctets = toOctets(bits)
  if (keyOctets.length !== row.keyOctets || (row.firstOctet !== undefined && keyOctets[0] !== row.firstOctet)) {
    throw new IdentityError('ERR_KEY', 'the public key is not in the form that its algorithm has')
  }
  return { algorithm, keyOctets }
}

/** Throws `ERR_UNSUPPORTED_ALGORITHM`. */
export function readSignatureAlgorithm(identifier: DerElement): SignatureAlgorithm {
  const found = signatureRows.find(([, row]) => row.identifier.equals(identifier.der))
  if (!found) throw new IdentityError('ERR_UNSUPPORTED_ALGORITHM', 'the signature algorithm is not supported')
  return found[0]
}

/** What keys of `algorithm` sign with, and its AlgorithmIdentifier. */
export function signatureAlgorithmOf(algorithm: KeyAlgorithm): { identifier: Buffer; name: SignatureAlgorithm } {
  const name = KEY_ALGORITHMS[algorithm].signature
  return { name, identifier: SIGNATURE_ALGORITHMS[name].identifier }
}

/** With the digest that keys of this kind sign with, see `signatureAlgorithmOf`. */
export function signBytes(
  bytes: Uint8Array,
  key: KeyObject,
  algorithm = signatureAlgorithmOf(keyAlgorithmOf(key)),
): Buffer {
  return sign(SIGNATURE_ALGORITHMS[algorithm.name].digest, bytes, key)
}

/** False also when key and algorithm do not belong together, or the signature is not even well formed. */
export function isSignature(
  signature: Uint8Array,
  algorithm: SignatureAlgorithm,
  bytes: Uint8Array,
  key: KeyObject,
): boolean {
  const { keyType, digest } = SIGNATURE_ALGORITHMS[algorithm]
  return key.asymmetricKeyType === keyType && verify(digest, bytes, key, signature)
}
