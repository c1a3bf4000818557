import { der, encodeDer, type DerValue } from './der.ts'
import { EMPTY_NAME } from './distinguished-name.ts'
import { basicConstraints, toExtensions } from './extension.ts'
import { signatureAlgorithmOf, signBytes } from './key-algorithm.ts'
import { generateKeyPair } from './key-pair.ts'
import { toPublicKeyInfo } from './public-key.ts'

/** The key that signs the certificates below, and that they are for. */
export const keyPair = generateKeyPair()
export const SPKI = toPublicKeyInfo(keyPair.publicKey).der

/** The fields of a good TBSCertificate, in order, for a test to replace one of. */
const FIELDS = {
  version: der.wrapped(0, der.unsigned(Buffer.of(2))) as DerValue | undefined,
  serialNumber: der.unsigned(Buffer.of(7)),
  signature: der.encoded(signatureAlgorithmOf('ec-p256').identifier),
  issuer: der.encoded(EMPTY_NAME),
  validity: der.sequence(der.time(new Date(0)), der.time(new Date(1e12))),
  subject: der.encoded(EMPTY_NAME),
  publicKeyInfo: der.encoded(SPKI),
  uniqueId: undefined as DerValue | undefined,
  extensions: der.wrapped(3, toExtensions([basicConstraints(false)])) as DerValue | undefined,
}

/** Signed with `keyPair`, whatever is in it. */
export function certificateOf(fields: Partial<typeof FIELDS>, algorithm: DerValue = FIELDS.signature): Buffer {
  const signed = der.sequence(...Object.values({ ...FIELDS, ...fields }).filter((field) => field !== undefined))
  const signature = signBytes(encodeDer(signed), keyPair.privateKey.reveal())
  return encodeDer(der.sequence(signed, algorithm, der.bits(signature)))
}

/** With this one extension, critical. */
export const withExtension = (oid: string, value: DerValue): Buffer =>
  certificateOf({ extensions: der.wrapped(3, toExtensions([{ oid, critical: true, value: encodeDer(value) }])) })

/** A DNS name among GeneralNames. */
export const dns = (name: string): DerValue => der.tagged(2, Buffer.from(name))
