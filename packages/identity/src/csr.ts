import type { KeyObject } from 'node:crypto'
import { TAG, type DerElement } from './der-element.ts'
import { DerReader, readSigned, toSmallInteger } from './der-reader.ts'
import { der, encodeDer, parseDer, toOid } from './der.ts'
import { EMPTY_NAME } from './distinguished-name.ts'
import { IdentityError } from './error.ts'
import { readExtensions, toExtensionFields } from './extension-reader.ts'
import { subjectAltName, toExtensions } from './extension.ts'
import { isSignature, readSignatureAlgorithm, signatureAlgorithmOf, signBytes } from './key-algorithm.ts'
import type { KeyPair } from './key-pair.ts'
import { OID } from './oid.ts'
import { PublicKeyInfo, toPublicKeyInfo } from './public-key.ts'
import { parseSpiffeId, type SpiffeId } from './spiffe-id.ts'

/**
 * A certificate signing request (PKCS #10, RFC 2986) whose sender has proved that it holds the private key: the
 * signature is checked over the slice of bytes that was received, before anything in them is believed. A request's
 * subject, and every extension but a URI name, are ignored: what a certificate looks like is the authority's business.
 */
export interface Csr {
  readonly der: Buffer
  readonly publicKeyInfo: PublicKeyInfo
  readonly publicKey: KeyObject
  /** The SPIFFE ID asked for; whether it may be had is for the authority to say. */
  readonly requestedId: SpiffeId | undefined
  /** Only `parseCsr` makes one: having one is the proof. */
  readonly [proved]: true
}

declare const proved: unique symbol

/** A request with the largest post-quantum key and signature is under 8 KiB. */
export const MAX_CSR_BYTES = 16 * 1024
const ATTRIBUTES_TAG = 0xa0

/** Throws `ERR_DER`, `ERR_CSR`, `ERR_CSR_PROOF`, `ERR_KEY`, `ERR_UNSUPPORTED_ALGORITHM` or `ERR_CERTIFICATE`. */
export function parseCsr(bytes: Uint8Array): Csr {
  const root = parseDer(bytes, MAX_CSR_BYTES)
  const { signed, algorithm, signature } = readSigned(root, 'a CSR')
  const signatureAlgorithm = readSignatureAlgorithm(algorithm)

  const fields = new DerReader(signed, TAG.sequence, 'a CSR')
  if (toSmallInteger(fields.take(TAG.integer)) !== 0) throw refusal('it is not of version 1')
  fields.take(TAG.sequence)
  const publicKeyInfo = new PublicKeyInfo(fields.take(TAG.sequence))
  const attributes = fields.take(ATTRIBUTES_TAG)
  fields.end()

  const publicKey = publicKeyInfo.key
  if (!isSignature(signature, signatureAlgorithm, signed.der, publicKey)) {
    throw new IdentityError('ERR_CSR_PROOF', 'the CSR is not signed with the key that it is for')
  }
  return { der: root.der, publicKeyInfo, publicKey, requestedId: readRequestedId(attributes) } as Csr
}

/** A request for `id`, or for whatever the authority says when it is left out. */
export function createCsr(keyPair: KeyPair, id?: SpiffeId): Buffer {
  const key = keyPair.privateKey.reveal()
  const attributes = id
    ? [der.sequence(der.oid(OID.extensionRequest), der.set(toExtensions([subjectAltName({ uris: [id.uri] }, true)])))]
    : []
  const signed = encodeDer(
    der.sequence(
      der.unsigned(Buffer.of(0)),
      der.encoded(EMPTY_NAME),
      der.encoded(toPublicKeyInfo(keyPair.publicKey).der),
      der.wrapped(0, ...attributes),
    ),
  )
  const algorithm = der.encoded(signatureAlgorithmOf(keyPair.algorithm).identifier)
  return encodeDer(der.sequence(der.encoded(signed), algorithm, der.bits(signBytes(signed, key))))
}

function readRequestedId(attributes: DerElement): SpiffeId | undefined {
  const requests = attributes.children.flatMap((attribute) => {
    const fields = new DerReader(attribute, TAG.sequence, 'a CSR attribute')
    const type = toOid(fields.take(TAG.oid))
    const values = fields.take(TAG.set)
    fields.end()
    return type === OID.extensionRequest ? values.children : []
  })
  if (requests.length > 1) throw refusal('it has two extension requests')
  if (!requests[0]) return undefined
  if (requests[0].tag !== TAG.sequence) throw refusal('its extension request has the wrong type')
  const { subjectAltNames } = toExtensionFields(readExtensions(requests[0]))
  const uris = subjectAltNames.filter(({ kind }) => kind === 'uri')
  if (uris.length > 1) throw refusal('it asks for more than one URI name')
  return uris[0] && toRequestedId(uris[0].text)
}

function toRequestedId(uri: string): SpiffeId {
  try {
    return parseSpiffeId(uri)
  } catch (cause) {
    throw new IdentityError('ERR_CSR', `the CSR is refused: its URI name is ${(cause as Error).message}`, { cause })
  }
}

function refusal(fault: string): IdentityError {
  return new IdentityError('ERR_CSR', `the CSR is refused: ${fault}`)
}
