import { scanDer, TAG } from './der-element.ts'
import { DerReader } from './der-reader.ts'
import { IdentityError } from './error.ts'

/** Below, a key can be broken; above, a peer could make every verification cost milliseconds. */
const MIN_MODULUS_BITS = 2048
const MAX_MODULUS_BITS = 8192
/** F4, the smallest that NIST SP 800-56B allows. */
const MIN_EXPONENT = 65_537
/** Verification takes as many steps as the exponent has bits. */
const MAX_EXPONENT_BITS = 32

/** How many bits the modulus of an RSAPublicKey has (RFC 3279 section 2.3.1). Throws `ERR_DER` or `ERR_KEY`. */
export function readRsaModulusBits(keyOctets: Buffer): number {
  const fields = new DerReader(scanDer(keyOctets), TAG.sequence, 'an RSA key')
  const modulus = fields.take(TAG.integer).content
  const exponent = fields.take(TAG.integer).content
  fields.end()
  if (modulus[0]! & 0x80 || exponent[0]! & 0x80) throw badKey('a number is negative')
  const bits = bitsOf(modulus)
  if (bits < MIN_MODULUS_BITS || bits > MAX_MODULUS_BITS) {
    throw badKey(`it has not ${MIN_MODULUS_BITS} to ${MAX_MODULUS_BITS} bits`)
  }
  if (!isOdd(modulus) || !isOdd(exponent)) throw badKey('a number is even')
  if (bitsOf(exponent) > MAX_EXPONENT_BITS || exponent.readUIntBE(0, exponent.length) < MIN_EXPONENT) {
    throw badKey(`its exponent is below ${MIN_EXPONENT} or above ${MAX_EXPONENT_BITS} bits`)
  }
  return bits
}

function bitsOf(positive: Buffer): number {
  const signOctets = positive[0] === 0 ? 1 : 0
  return (positive.length - signOctets) * 8 - (Math.clz32(positive[signOctets] ?? 0) - 24)
}

function isOdd(number: Buffer): boolean {
  return (number.at(-1)! & 1) === 1
}

function badKey(fault: string): IdentityError {
  return new IdentityError('ERR_KEY', `the RSA key is refused: ${fault}`)
}
