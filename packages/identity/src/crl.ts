import type { KeyObject } from 'node:crypto'
import { toSerialNumber, type Certificate } from './certificate.ts'
import { scanDer, TAG, type DerElement } from './der-element.ts'
import { DerReader, readSigned, toDate, toSmallInteger } from './der-reader.ts'
import { der, encodeDer, parseDer, type DerValue } from './der.ts'
import { IdentityError } from './error.ts'
import { readExtensions, toExtensionFields } from './extension-reader.ts'
import { authorityKeyId, toExtensions } from './extension.ts'
import {
  isSignature,
  keyAlgorithmOf,
  readSignatureAlgorithm,
  signatureAlgorithmOf,
  signBytes,
} from './key-algorithm.ts'
import type { SignatureAlgorithm } from './key-algorithm.ts'
import type { PrivateKey } from './key-pair.ts'
import { OID } from './oid.ts'

/** A certificate that its issuer has taken back: RFC 5280 section 5.1.2.6. */
export interface RevokedCertificate {
  /** Lower-case hexadecimal, as `Certificate.serialNumber` has it. */
  readonly serialNumber: string
  readonly revokedAt: Date
}

export interface CrlTemplate {
  readonly issuer: Certificate
  /** Grows with each list of this issuer. */
  readonly crlNumber: bigint
  readonly thisUpdate: Date
  readonly nextUpdate: Date
  readonly revoked: readonly RevokedCertificate[]
}

const VERSION_2 = 1
export const MAX_CRL_BYTES = 1024 * 1024
/** Certificates here live for an hour: more than this many taken back at once is an emergency of another kind. */
export const MAX_REVOKED_CERTIFICATES = 10_000
const MAX_ELEMENTS = 8 * MAX_REVOKED_CERTIFICATES
/** RFC 5280 section 5.2.3. */
const MAX_CRL_NUMBER = 2n ** 159n

/**
 * A certificate revocation list of version 2 (RFC 5280 section 5), read strictly: a complete list of one issuer. Being
 * one says nothing about being that issuer's: ask `isSignedWith`.
 */
class ParsedCrl {
  readonly der: Buffer
  /** DER of the Name. */
  readonly issuer: Buffer
  readonly thisUpdate: Date
  readonly nextUpdate: Date
  readonly revoked: readonly RevokedCertificate[]
  readonly crlNumber: bigint
  /** Hexadecimal. */
  readonly authorityKeyId: string | undefined
  readonly signatureAlgorithm: SignatureAlgorithm
  readonly #signed: Buffer
  readonly #signature: Buffer

  /** Throws `IdentityError`. */
  constructor(bytes: Uint8Array) {
    const root = parseDer(bytes, MAX_CRL_BYTES, { elements: MAX_ELEMENTS })
    const { signed, algorithm, signature } = readSigned(root, 'a CRL')
    this.#signature = signature
    this.der = root.der
    this.#signed = signed.der

    const fields = new DerReader(signed, TAG.sequence, 'a CRL')
    if (toSmallInteger(fields.take(TAG.integer)) !== VERSION_2) throw refusal('it is not of version 2')
    if (!fields.take(TAG.sequence).der.equals(algorithm.der)) throw refusal('it names two signature algorithms')
    this.signatureAlgorithm = readSignatureAlgorithm(algorithm)
    this.issuer = fields.take(TAG.sequence).der
    this.thisUpdate = toDate(fields.takeIf(TAG.utcTime) ?? fields.take(TAG.generalizedTime))
    this.nextUpdate = toDate(fields.takeIf(TAG.utcTime) ?? fields.take(TAG.generalizedTime))
    if (this.nextUpdate <= this.thisUpdate) throw refusal('it ends before it begins')
    this.revoked = readRevoked(fields.takeIf(TAG.sequence))
    const extensions = new DerReader(fields.take(0xa0), 0xa0, 'CRL extensions')
    const { crlNumber, authorityKeyId: keyId } = readCrlExtensions(extensions.take(TAG.sequence))
    extensions.end()
    fields.end()
    this.crlNumber = crlNumber
    this.authorityKeyId = keyId
  }

  /** True when `key` made this list's signature. */
  isSignedWith(key: KeyObject): boolean {
    return isSignature(this.#signature, this.signatureAlgorithm, this.#signed, key)
  }
}

export type Crl = ParsedCrl

/** Throws `ERR_DER`, `ERR_CRL`, `ERR_CERTIFICATE` (an extension) or `ERR_UNSUPPORTED_ALGORITHM`. */
export function parseCrl(bytes: Uint8Array): Crl {
  return new ParsedCrl(bytes)
}

/**
 * Encodes, signs, and reads back. Each certificate is listed once, by its first entry. Throws `ERR_CRL` when the issuer
 * may not sign lists, the key is not the issuer's, or the list is not one that `parseCrl` takes.
 */
export function createCrl(template: CrlTemplate, issuerKey: PrivateKey): Buffer {
  const { issuer, crlNumber } = template
  if (issuer.keyUsage && !issuer.keyUsage.includes('cRLSign')) throw refusal('its issuer may not sign lists')
  if (crlNumber < 0n || crlNumber >= MAX_CRL_NUMBER) throw refusal('its number is out of bounds')
  const key = issuerKey.reveal()
  const signing = signatureAlgorithmOf(keyAlgorithmOf(key))
  const algorithm = der.encoded(signing.identifier)
  const signed = encodeDer(encodeSignedPart(template, algorithm))
  const bytes = encodeDer(der.sequence(der.encoded(signed), algorithm, der.bits(signBytes(signed, key, signing))))
  if (!parseCrl(bytes).isSignedWith(issuer.publicKey)) throw refusal('the key is not its issuer’s')
  return bytes
}

function encodeSignedPart(template: CrlTemplate, algorithm: DerValue): DerValue {
  const { issuer, crlNumber, thisUpdate, nextUpdate } = template
  const listed = new Set<string>()
  const entries = template.revoked
    .filter(({ serialNumber }) => !listed.has(serialNumber) && listed.add(serialNumber))
    .map(({ serialNumber, revokedAt }) =>
      der.sequence(der.unsigned(Buffer.from(serialNumber, 'hex')), der.time(revokedAt)),
    )
  const number = { oid: OID.crlNumber, critical: false, value: encodeDer(der.unsigned(toOctetsOf(crlNumber))) }
  return der.sequence(
    der.unsigned(Buffer.of(VERSION_2)),
    algorithm,
    der.encoded(issuer.subject),
    der.time(thisUpdate),
    der.time(nextUpdate),
    ...(entries.length === 0 ? [] : [der.sequence(...entries)]),
    der.wrapped(0, toExtensions([authorityKeyId(issuer.subjectKeyId ?? issuer.publicKeyInfo.keyId), number])),
  )
}

function toOctetsOf(number: bigint): Buffer {
  const digits = number.toString(16)
  return Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex')
}

function readRevoked(list: DerElement | undefined): readonly RevokedCertificate[] {
  if (list?.children.length === 0) throw refusal('its list of certificates is empty instead of absent')
  const entries = (list?.children ?? []).map(readEntry)
  if (entries.length > MAX_REVOKED_CERTIFICATES) throw refusal(`it lists more than ${MAX_REVOKED_CERTIFICATES}`)
  if (new Set(entries.map(({ serialNumber }) => serialNumber)).size !== entries.length) {
    throw refusal('it lists a certificate twice')
  }
  return Object.freeze(entries)
}

function readEntry(entry: DerElement): RevokedCertificate {
  const fields = new DerReader(entry, TAG.sequence, 'a CRL entry')
  const serialNumber = toSerialNumber(fields.take(TAG.integer).content)
  const revokedAt = toDate(fields.takeIf(TAG.utcTime) ?? fields.take(TAG.generalizedTime))
  const extensions = fields.takeIf(TAG.sequence)
  fields.end()
  // A critical one changes what the entry means: whose certificate it is (RFC 5280 section 5.3.3).
  if (extensions && readExtensions(extensions).some(({ critical }) => critical)) {
    throw refusal('an entry has a critical extension')
  }
  return { serialNumber, revokedAt }
}

function readCrlExtensions(element: DerElement): { crlNumber: bigint; authorityKeyId: string | undefined } {
  const extensions = readExtensions(element)
  // Critical ones make it a partial list, or another issuer's (RFC 5280 section 5.2).
  if (extensions.some(({ critical }) => critical)) throw refusal('it has a critical extension')
  const number = extensions.find(({ oid }) => oid === OID.crlNumber)
  if (!number) throw refusal('it has no number')
  const { tag, content } = scanDer(number.value)
  if (tag !== TAG.integer || content[0]! & 0x80 || content.length > 20) throw refusal('its number is out of bounds')
  const authority = extensions.filter(({ oid }) => oid === OID.authorityKeyId)
  return {
    crlNumber: BigInt(`0x${content.toString('hex')}`),
    authorityKeyId: toExtensionFields(authority).authorityKeyId,
  }
}

function refusal(fault: string): IdentityError {
  return new IdentityError('ERR_CRL', `the CRL is refused: ${fault}`)
}
