import { generateKeyPair, generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { TAG, type DerElement } from './der-element.ts'
import { DerReader, toOctets } from './der-reader.ts'
import { IdentityError } from './error.ts'
import { readRsaModulusBits } from './rsa-key.ts'

/**
 * Key and signature algorithms as data. Algorithm identifiers are compared as whole DER structures, parameters
 * included, so that an unusual curve or a stray parameter is an unknown algorithm and not a variant of a known one.
 */
export const KEY_ALGORITHMS = [
  'ec-p256',
  'ec-p384',
  'ed25519',
  'rsa-2048',
  'rsa-3072',
  'rsa-4096',
  'ml-dsa-44',
  'ml-dsa-65',
] as const
/** What Picket makes keys of. */
export type KeyAlgorithm = (typeof KEY_ALGORITHMS)[number]
/** What Picket reads in others' certificates: also RSA of any size from 2048 to 8192 bits, and ML-DSA-87. */
export type PublicKeyAlgorithm = KeyAlgorithm | 'rsa' | 'ml-dsa-87'
export type SignatureAlgorithm =
  | 'ecdsa-sha256'
  | 'ecdsa-sha384'
  | 'ecdsa-sha512'
  | 'ed25519'
  | 'rsa-sha256'
  | 'rsa-sha384'
  | 'rsa-sha512'
  | 'ml-dsa-44'
  | 'ml-dsa-65'
  | 'ml-dsa-87'

type KeyType = 'ec' | 'ed25519' | 'rsa' | 'ml-dsa-44' | 'ml-dsa-65' | 'ml-dsa-87'
interface Keys {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

interface KeyAlgorithmRow {
  /** DER of the SubjectPublicKeyInfo's AlgorithmIdentifier (RFC 5480, RFC 8410, RFC 3279, RFC 9881). */
  readonly identifier: Buffer
  /** How many octets the public key has, and which octet it starts with: 04 is an uncompressed EC point. */
  readonly keyOctets?: number
  readonly firstOctet?: number
  /** What `KeyObject` calls it. */
  readonly keyType: KeyType
  readonly namedCurve?: string
  readonly modulusLength?: number
  /** What a key of this kind signs with. */
  readonly signature: SignatureAlgorithm
}

interface SignatureAlgorithmRow {
  /** DER of the AlgorithmIdentifier (RFC 5758 section 3.2, RFC 8410, RFC 4055 section 5, RFC 9881). */
  readonly identifier: Buffer
  readonly keyType: KeyType
  readonly digest: string | null
}

/** The published types have one overload to each name; the rows choose the name at run time. */
type Generate<Result> = (type: string, options: object) => Result
const generateSync = generateKeyPairSync as unknown as Generate<Keys>
const generateAside = promisify(generateKeyPair) as unknown as Generate<Promise<Keys>>

const hex = (text: string): Buffer => Buffer.from(text, 'hex')
/** rsaEncryption with its NULL, which RFC 3279 demands. */
const RSA_IDENTIFIER = hex('300d06092a864886f70d0101010500')
const ML_DSA_IDENTIFIERS = {
  'ml-dsa-44': hex('300b0609608648016503040311'),
  'ml-dsa-65': hex('300b0609608648016503040312'),
  'ml-dsa-87': hex('300b0609608648016503040313'),
} as const

const rsa = (modulusLength?: number): KeyAlgorithmRow => ({
  identifier: RSA_IDENTIFIER,
  keyType: 'rsa',
  ...(modulusLength !== undefined && { modulusLength }),
  signature: 'rsa-sha256',
})

const mlDsa = (name: keyof typeof ML_DSA_IDENTIFIERS, keyOctets: number): KeyAlgorithmRow => ({
  identifier: ML_DSA_IDENTIFIERS[name],
  keyOctets,
  keyType: name,
  signature: name,
})

const KEYS: Record<PublicKeyAlgorithm, KeyAlgorithmRow> = {
  'ec-p256': {
    identifier: hex('301306072a8648ce3d020106082a8648ce3d030107'),
    keyOctets: 65,
    firstOctet: 0x04,
    keyType: 'ec',
    namedCurve: 'prime256v1',
    signature: 'ecdsa-sha256',
  },
  'ec-p384': {
    identifier: hex('301006072a8648ce3d020106052b81040022'),
    keyOctets: 97,
    firstOctet: 0x04,
    keyType: 'ec',
    namedCurve: 'secp384r1',
    signature: 'ecdsa-sha384',
  },
  ed25519: {
    identifier: hex('300506032b6570'),
    keyOctets: 32,
    keyType: 'ed25519',
    signature: 'ed25519',
  },
  'rsa-2048': rsa(2048),
  'rsa-3072': rsa(3072),
  'rsa-4096': rsa(4096),
  'ml-dsa-44': mlDsa('ml-dsa-44', 1312),
  'ml-dsa-65': mlDsa('ml-dsa-65', 1952),
  'ml-dsa-87': mlDsa('ml-dsa-87', 2592),
  rsa: rsa(),
}

const SIGNATURES: Record<SignatureAlgorithm, SignatureAlgorithmRow> = {
  'ecdsa-sha256': { identifier: hex('300a06082a8648ce3d040302'), keyType: 'ec', digest: 'sha256' },
  'ecdsa-sha384': { identifier: hex('300a06082a8648ce3d040303'), keyType: 'ec', digest: 'sha384' },
  'ecdsa-sha512': { identifier: hex('300a06082a8648ce3d040304'), keyType: 'ec', digest: 'sha512' },
  ed25519: { identifier: hex('300506032b6570'), keyType: 'ed25519', digest: null },
  'rsa-sha256': { identifier: hex('300d06092a864886f70d01010b0500'), keyType: 'rsa', digest: 'sha256' },
  'rsa-sha384': { identifier: hex('300d06092a864886f70d01010c0500'), keyType: 'rsa', digest: 'sha384' },
  'rsa-sha512': { identifier: hex('300d06092a864886f70d01010d0500'), keyType: 'rsa', digest: 'sha512' },
  'ml-dsa-44': { identifier: ML_DSA_IDENTIFIERS['ml-dsa-44'], keyType: 'ml-dsa-44', digest: null },
  'ml-dsa-65': { identifier: ML_DSA_IDENTIFIERS['ml-dsa-65'], keyType: 'ml-dsa-65', digest: null },
  'ml-dsa-87': { identifier: ML_DSA_IDENTIFIERS['ml-dsa-87'], keyType: 'ml-dsa-87', digest: null },
}

const keyRows = Object.entries(KEYS) as [PublicKeyAlgorithm, KeyAlgorithmRow][]
const signatureRows = Object.entries(SIGNATURES) as [SignatureAlgorithm, SignatureAlgorithmRow][]

/** Throws `ERR_UNSUPPORTED_ALGORITHM`. */
export function parseKeyAlgorithm(text: string): KeyAlgorithm {
  const found = KEY_ALGORITHMS.find((algorithm) => algorithm === text)
  if (found) return found
  throw new IdentityError('ERR_UNSUPPORTED_ALGORITHM', `a key algorithm is one of ${KEY_ALGORITHMS.join(', ')}`)
}

export function generateKeys(algorithm: KeyAlgorithm): Keys {
  const { keyType, namedCurve, modulusLength } = KEYS[algorithm]
  return generateSync(keyType, { namedCurve, modulusLength })
}

/** The same in a thread of its own. */
export async function generateKeysAsync(algorithm: KeyAlgorithm): Promise<Keys> {
  const { keyType, namedCurve, modulusLength } = KEYS[algorithm]
  return generateAside(keyType, { namedCurve, modulusLength })
}

/** Asking Node for a key's details takes longer than reading a date; an authority signs with one key for days. */
const knownKeys = new WeakMap<KeyObject, KeyAlgorithm>()

/** The algorithm of a key that Node has read, of those that Picket makes keys of. Throws `ERR_UNSUPPORTED_ALGORITHM`. */
export function keyAlgorithmOf(key: KeyObject): KeyAlgorithm {
  const algorithm = knownKeys.get(key) ?? findKeyAlgorithm(key)
  knownKeys.set(key, algorithm)
  return algorithm
}

function findKeyAlgorithm({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): KeyAlgorithm {
  const found = KEY_ALGORITHMS.find((algorithm) => {
    const { keyType, namedCurve, modulusLength } = KEYS[algorithm]
    return (
      keyType === asymmetricKeyType &&
      namedCurve === asymmetricKeyDetails?.namedCurve &&
      modulusLength === asymmetricKeyDetails?.modulusLength
    )
  })
  if (!found) throw new IdentityError('ERR_UNSUPPORTED_ALGORITHM', `keys of this kind are not supported`)
  return found
}

/** The algorithm and the key octets of a SubjectPublicKeyInfo. Throws `ERR_DER`, `ERR_UNSUPPORTED_ALGORITHM`, `ERR_KEY`. */
export function readPublicKeyInfo(spki: DerElement): { algorithm: PublicKeyAlgorithm; keyOctets: Buffer } {
  const fields = new DerReader(spki, TAG.sequence, 'a public key')
  const identifier = fields.take(TAG.sequence).der
  const found = keyRows.find(([, row]) => row.identifier.equals(identifier))
  if (!found) throw new IdentityError('ERR_UNSUPPORTED_ALGORITHM', 'the public key algorithm is not supported')
  const keyOctets = toOctets(fields.take(TAG.bitString))
  fields.end()
  const [algorithm, row] = found
  if (row.keyType === 'rsa') return { algorithm: rsaAlgorithmOf(readRsaModulusBits(keyOctets)), keyOctets }
  if (keyOctets.length !== row.keyOctets || (row.firstOctet !== undefined && keyOctets[0] !== row.firstOctet)) {
    throw new IdentityError('ERR_KEY', 'the public key is not in the form that its algorithm has')
  }
  return { algorithm, keyOctets }
}

function rsaAlgorithmOf(modulusBits: number): PublicKeyAlgorithm {
  return KEY_ALGORITHMS.find((algorithm) => KEYS[algorithm].modulusLength === modulusBits) ?? 'rsa'
}

/** Throws `ERR_UNSUPPORTED_ALGORITHM`. */
export function readSignatureAlgorithm(identifier: DerElement): SignatureAlgorithm {
  const found = signatureRows.find(([, row]) => row.identifier.equals(identifier.der))
  if (!found) throw new IdentityError('ERR_UNSUPPORTED_ALGORITHM', 'the signature algorithm is not supported')
  return found[0]
}

/** What keys of `algorithm` sign with, and its AlgorithmIdentifier. */
export function signatureAlgorithmOf(algorithm: PublicKeyAlgorithm): { identifier: Buffer; name: SignatureAlgorithm } {
  const name = KEYS[algorithm].signature
  return { name, identifier: SIGNATURES[name].identifier }
}

/** With the digest that keys of this kind sign with, see `signatureAlgorithmOf`. */
export function signBytes(
  bytes: Uint8Array,
  key: KeyObject,
  algorithm = signatureAlgorithmOf(keyAlgorithmOf(key)),
): Buffer {
  return sign(SIGNATURES[algorithm.name].digest, bytes, key)
}

/** False also when key and algorithm do not belong together, or the signature is not even well formed. */
export function isSignature(
  signature: Uint8Array,
  algorithm: SignatureAlgorithm,
  bytes: Uint8Array,
  key: KeyObject,
): boolean {
  const { keyType, digest } = SIGNATURES[algorithm]
  return key.asymmetricKeyType === keyType && verify(digest, bytes, key, signature)
}
