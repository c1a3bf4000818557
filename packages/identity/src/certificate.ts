import { hash, type KeyObject } from 'node:crypto'
import { TAG } from './der-element.ts'
import { DerReader, readSigned, toDate, toSmallInteger } from './der-reader.ts'
import { der, encodeDer, parseDer } from './der.ts'
import { IdentityError } from './error.ts'
import { readExtensions, toExtensionFields } from './extension-reader.ts'
import type { GeneralName, NameConstraints } from './extension-reader.ts'
import { toExtensions, type Extension, type KeyUsage } from './extension.ts'
import {
  isSignature,
  keyAlgorithmOf,
  readSignatureAlgorithm,
  signatureAlgorithmOf,
  signBytes,
} from './key-algorithm.ts'
import type { PublicKeyAlgorithm, SignatureAlgorithm } from './key-algorithm.ts'
import type { PrivateKey } from './key-pair.ts'
import { decodePem, encodePem } from './pem.ts'
import { PublicKeyInfo } from './public-key.ts'

/** RFC 5280 section 4.1.2.2; the octet for the sign comes on top. */
const MAX_SERIAL_OCTETS = 20
const VERSION_3 = 2

/**
 * An X.509 v3 certificate, read from DER field by field (RFC 5280 section 4.1). Only `parseCertificate` makes one.
 * Being one says nothing about being valid or trusted: that is `verifyX509Svid`.
 */
class ParsedCertificate {
  readonly der: Buffer
  /** Lower-case hexadecimal without a sign octet. */
  readonly serialNumber: string
  /** DER of the Name. */
  readonly issuer: Buffer
  readonly subject: Buffer
  readonly notBefore: Date
  readonly notAfter: Date
  readonly extensions: readonly Extension[]
  readonly isCa: boolean
  readonly pathLen: number | undefined
  readonly keyUsage: readonly KeyUsage[] | undefined
  /** Object identifiers in dotted form. */
  readonly extendedKeyUsage: readonly string[] | undefined
  readonly subjectAltNames: readonly GeneralName[]
  readonly nameConstraints: NameConstraints | undefined
  /** Hexadecimal, as the extensions of these names have it. */
  readonly subjectKeyId: string | undefined
  readonly authorityKeyId: string | undefined
  /** Dotted object identifiers of critical extensions that nobody here reads. */
  readonly unknownCriticalExtensions: readonly string[]
  readonly publicKeyInfo: PublicKeyInfo
  readonly signatureAlgorithm: SignatureAlgorithm
  readonly #signed: Buffer
  readonly #signature: Buffer
  #fingerprint: string | undefined

  /** Throws `IdentityError`. */
  constructor(bytes: Uint8Array) {
    const root = parseDer(bytes)
    const { signed, algorithm, signature } = readSigned(root, 'a certificate')
    this.#signature = signature
    this.der = root.der
    this.#signed = signed.der

    const fields = new DerReader(signed, TAG.sequence, 'a certificate')
    const version = new DerReader(fields.take(0xa0), 0xa0, 'a version')
    if (toSmallInteger(version.take(TAG.integer)) !== VERSION_3) throw refusal('it is not of version 3')
    version.end()
    this.serialNumber = toSerialNumber(fields.take(TAG.integer).content)
    if (!fields.take(TAG.sequence).der.equals(algorithm.der)) throw refusal('it names two signature algorithms')
    this.issuer = fields.take(TAG.sequence).der
    const validity = new DerReader(fields.take(TAG.sequence), TAG.sequence, 'a validity')
    this.notBefore = toDate(validity.takeIf(TAG.utcTime) ?? validity.take(TAG.generalizedTime))
    this.notAfter = toDate(validity.takeIf(TAG.utcTime) ?? validity.take(TAG.generalizedTime))
    validity.end()
    this.subject = fields.take(TAG.sequence).der
    this.publicKeyInfo = new PublicKeyInfo(fields.take(TAG.sequence))
    this.signatureAlgorithm = readSignatureAlgorithm(algorithm)
    const extensions = new DerReader(fields.take(0xa3), 0xa3, 'extensions')
    this.extensions = readExtensions(extensions.take(TAG.sequence))
    extensions.end()
    fields.end()

    const values = toExtensionFields(this.extensions)
    this.isCa = values.isCa
    this.pathLen = values.pathLen
    this.keyUsage = values.keyUsage
    this.extendedKeyUsage = values.extendedKeyUsage
    this.subjectAltNames = values.subjectAltNames
    this.nameConstraints = values.nameConstraints
    this.subjectKeyId = values.subjectKeyId
    this.authorityKeyId = values.authorityKeyId
    this.unknownCriticalExtensions = values.unknownCriticalExtensions
  }

  get uriSans(): string[] {
    return this.subjectAltNames.filter(({ kind }) => kind === 'uri').map(({ text }) => text)
  }

  get dnsSans(): string[] {
    return this.subjectAltNames.filter(({ kind }) => kind === 'dns').map(({ text }) => text)
  }

  get keyAlgorithm(): PublicKeyAlgorithm {
    return this.publicKeyInfo.algorithm
  }

  /** Throws `ERR_KEY` when the certificate holds no valid key (a point off its curve). */
  get publicKey(): KeyObject {
    return this.publicKeyInfo.key
  }

  /** SHA-256 over the certificate, lower-case hexadecimal. */
  get fingerprintSha256(): string {
    this.#fingerprint ??= hash('sha256', this.der, 'hex')
    return this.#fingerprint
  }

  /** True when `key` made this certificate's signature. Says nothing about names, dates or permission to sign. */
  isSignedWith(key: KeyObject): boolean {
    return isSignature(this.#signature, this.signatureAlgorithm, this.#signed, key)
  }
}

export type Certificate = ParsedCertificate

/** Throws `ERR_DER`, `ERR_CERTIFICATE`, `ERR_KEY` or `ERR_UNSUPPORTED_ALGORITHM`. */
export function parseCertificate(bytes: Uint8Array): Certificate {
  return new ParsedCertificate(bytes)
}

/** Every certificate of a PEM text, in order; at least one. Throws `ERR_PEM` too. */
export function parseCertificatesPem(pem: string): Certificate[] {
  return decodePem(pem, 'CERTIFICATE').map(parseCertificate)
}

export function encodeCertificatesPem(chain: readonly Certificate[]): string {
  return chain.map((certificate) => encodePem(certificate.der, 'CERTIFICATE')).join('')
}

/** What goes into a certificate; names are DER, see `encodeName`. */
export interface CertificateTemplate {
  /** Big-endian octets of a positive number, at most 20. */
  readonly serialNumber: Uint8Array
  readonly issuer: Uint8Array
  readonly subject: Uint8Array
  readonly notBefore: Date
  readonly notAfter: Date
  /** DER of the SubjectPublicKeyInfo. */
  readonly publicKeyInfo: Uint8Array
  readonly extensions: readonly Extension[]
}

/** Encodes and signs. Checks nothing: the issuer reads and lints what it made. */
export function createCertificate(template: CertificateTemplate, issuerKey: PrivateKey): Buffer {
  const key = issuerKey.reveal()
  const signing = signatureAlgorithmOf(keyAlgorithmOf(key))
  const algorithm = der.encoded(signing.identifier)
  const signed = encodeDer(
    der.sequence(
      der.wrapped(0, der.unsigned(Buffer.of(VERSION_3))),
      der.unsigned(template.serialNumber),
      algorithm,
      der.encoded(template.issuer),
      der.sequence(der.time(template.notBefore), der.time(template.notAfter)),
      der.encoded(template.subject),
      der.encoded(template.publicKeyInfo),
      der.wrapped(3, toExtensions(template.extensions)),
    ),
  )
  return encodeDer(der.sequence(der.encoded(signed), algorithm, der.bits(signBytes(signed, key, signing))))
}

/** Of the INTEGER's content, for CRLs too. Throws `ERR_CERTIFICATE`. */
export function toSerialNumber(content: Buffer): string {
  if (content[0]! & 0x80) throw refusal('its serial number is negative')
  const digits = content.subarray(content.length > 1 && content[0] === 0 ? 1 : 0)
  if (digits.length > MAX_SERIAL_OCTETS) throw refusal('its serial number is longer than 20 octets')
  return digits.toString('hex')
}

function refusal(fault: string): IdentityError {
  return new IdentityError('ERR_CERTIFICATE', `the certificate is refused: ${fault}`)
}
