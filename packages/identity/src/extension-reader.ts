import { scanDer, TAG, type DerElement } from './der-element.ts'
import { DerReader, toSmallInteger } from './der-reader.ts'
import { toOid } from './der.ts'
import { IdentityError } from './error.ts'
import { KEY_USAGES, type Extension, type KeyUsage } from './extension.ts'
import { OID } from './oid.ts'

/** More names than any certificate of ours, or of a sane foreign authority, carries. */
const MAX_NAMES = 100

/** The kinds of GeneralName, by context-specific number (RFC 5280 section 4.2.1.6). */
const NAME_KINDS = ['other', 'email', 'dns', 'x400', 'directory', 'edi', 'uri', 'ip', 'registeredId'] as const
export type NameKind = (typeof NAME_KINDS)[number]

/** A GeneralName; `text` is meaningful for `email`, `dns` and `uri`. */
export interface GeneralName {
  readonly kind: NameKind
  readonly text: string
}

/** RFC 5280 section 4.2.1.10. */
export interface NameConstraints {
  readonly permitted: readonly GeneralName[]
  readonly excluded: readonly GeneralName[]
}

/** What the extensions that Picket understands say. */
export interface ExtensionFields {
  isCa: boolean
  pathLen: number | undefined
  keyUsage: readonly KeyUsage[] | undefined
  extendedKeyUsage: readonly string[] | undefined
  subjectAltNames: readonly GeneralName[]
  nameConstraints: NameConstraints | undefined
  subjectKeyId: string | undefined
  authorityKeyId: string | undefined
  unknownCriticalExtensions: readonly string[]
}

/** An Extensions sequence; two of the same kind are refused (RFC 5280 section 4.2). Throws `ERR_DER`, `ERR_CERTIFICATE`. */
export function readExtensions(element: DerElement): Extension[] {
  const seen = new Set<string>()
  return element.children.map((child) => {
    const fields = new DerReader(child, TAG.sequence, 'an extension')
    const oid = toOid(fields.take(TAG.oid))
    const critical = fields.takeFlag()
    const value = fields.take(TAG.octetString).content
    fields.end()
    if (seen.has(oid)) throw new IdentityError('ERR_CERTIFICATE', 'an extension occurs twice')
    seen.add(oid)
    return { oid, critical, value }
  })
}

/** Reads the values of the known extensions; an unknown critical one is noted for the verifier to refuse. */
export function toExtensionFields(extensions: readonly Extension[]): ExtensionFields {
  const fields: ExtensionFields = {
    isCa: false,
    pathLen: undefined,
    keyUsage: undefined,
    extendedKeyUsage: undefined,
    subjectAltNames: [],
    nameConstraints: undefined,
    subjectKeyId: undefined,
    authorityKeyId: undefined,
    unknownCriticalExtensions: extensions
      .filter(({ oid, critical }) => critical && !READERS[oid])
      .map(({ oid }) => oid),
  }
  for (const { oid, value } of extensions) READERS[oid]?.(scanDer(value), fields)
  return fields
}

type ReadExtension = (value: DerElement, fields: ExtensionFields) => void

const READERS: Readonly<Record<string, ReadExtension>> = {
  [OID.basicConstraints](value, fields) {
    const reader = new DerReader(value, TAG.sequence, 'basic constraints')
    fields.isCa = reader.takeFlag()
    const pathLen = reader.takeIf(TAG.integer)
    reader.end()
    if (pathLen && !fields.isCa) throw new IdentityError('ERR_CERTIFICATE', 'a path length without the CA flag')
    fields.pathLen = pathLen && toSmallInteger(pathLen)
  },
  [OID.keyUsage]({ tag, content }, fields) {
    if (tag !== TAG.bitString) throw new IdentityError('ERR_CERTIFICATE', 'the key usage has the wrong type')
    fields.keyUsage = KEY_USAGES.filter((_, bit) => (content[1 + (bit >> 3)] ?? 0) & (0x80 >> (bit & 7)))
  },
  [OID.extendedKeyUsage](value, fields) {
    const reader = new DerReader(value, TAG.sequence, 'extended key usage')
    fields.extendedKeyUsage = value.children.map(() => toOid(reader.take(TAG.oid)))
    if (fields.extendedKeyUsage.length === 0) {
      throw new IdentityError('ERR_CERTIFICATE', 'the extended key usage is empty')
    }
  },
  [OID.subjectAltName](value, fields) {
    fields.subjectAltNames = readGeneralNames(value)
  },
  [OID.nameConstraints](value, fields) {
    const reader = new DerReader(value, TAG.sequence, 'name constraints')
    const permitted = readSubtrees(reader.takeIf(0xa0))
    const excluded = readSubtrees(reader.takeIf(0xa1))
    reader.end()
    fields.nameConstraints = { permitted, excluded }
  },
  [OID.subjectKeyId]({ tag, content }, fields) {
    if (tag !== TAG.octetString) throw new IdentityError('ERR_CERTIFICATE', 'the subject key id has the wrong type')
    fields.subjectKeyId = content.toString('hex')
  },
  [OID.authorityKeyId](value, fields) {
    const reader = new DerReader(value, TAG.sequence, 'authority key id')
    fields.authorityKeyId = reader.takeIf(0x80)?.content.toString('hex')
    const issuer = reader.takeIf(0xa1)
    const serialNumber = reader.takeIf(0x82)
    reader.end()
    if (Boolean(issuer) !== Boolean(serialNumber)) {
      throw new IdentityError('ERR_CERTIFICATE', 'an authority key id names an issuer or a serial number alone')
    }
  },
}

function readGeneralNames(value: DerElement): GeneralName[] {
  const reader = new DerReader(value, TAG.sequence, 'subject alternative names')
  if (value.children.length === 0 || value.children.length > MAX_NAMES) {
    throw new IdentityError('ERR_CERTIFICATE', `there are no alternative names, or more than ${MAX_NAMES}`)
  }
  return value.children.map(({ tag }) => toGeneralName(reader.take(tag)))
}

function readSubtrees(element: DerElement | undefined): GeneralName[] {
  if (element && (element.children.length === 0 || element.children.length > MAX_NAMES)) {
    throw new IdentityError('ERR_CERTIFICATE', `name constraints list no names, or more than ${MAX_NAMES}`)
  }
  return (element?.children ?? []).map((subtree) => {
    const [base, ...bounds] = subtree.children
    if (subtree.tag !== TAG.sequence || !base || bounds.length > 0) {
      throw new IdentityError('ERR_CERTIFICATE', 'a name constraint is not a name alone')
    }
    return toGeneralName(base)
  })
}

function toGeneralName({ tag, content }: DerElement): GeneralName {
  const kind = (tag & 0xc0) === 0x80 ? NAME_KINDS[tag & 0x1f] : undefined
  if (!kind) throw new IdentityError('ERR_CERTIFICATE', 'an alternative name is of no known kind')
  const isText = kind === 'email' || kind === 'dns' || kind === 'uri'
  if (isText && (tag & 0x20 || content.some((octet) => octet < 0x20 || octet > 0x7e))) {
    throw new IdentityError('ERR_CERTIFICATE', 'an alternative name holds characters that it may not')
  }
  return { kind, text: isText ? content.toString('latin1') : '' }
}
