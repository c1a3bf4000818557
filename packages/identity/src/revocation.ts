import type { Certificate } from './certificate.ts'
import { IdentityError } from './error.ts'
import { parseSpiffeId, type SpiffeId } from './spiffe-id.ts'

/**
 * The deny-list: what is refused although its certificates are good. It travels with the bundles (`BundleSource`), so
 * that every place that verifies a peer enforces it too. An entry works by what was proved: an authority's key is
 * recognised by its octets, not only by the identifier that its certificate gives it.
 */
export type RevocationSubject =
  | { readonly kind: 'spiffe-id'; readonly value: string }
  /** A leaf's serial number in lower-case hexadecimal. */
  | { readonly kind: 'serial'; readonly value: string }
  /** An X.509 authority's key identifier in hexadecimal, or the `kid` of a JWT authority. */
  | { readonly kind: 'authority-key'; readonly value: string }

export interface RevocationList {
  readonly subjects: readonly RevocationSubject[]
  /** The entry that hits: the leaf's ID, its serial number, or the key of an authority of `path` (leaf first). */
  findX509(id: SpiffeId, path: readonly Certificate[]): RevocationSubject | undefined
  findJwt(id: SpiffeId, keyId: string): RevocationSubject | undefined
}

type Kind = RevocationSubject['kind']

/** Look-ups are in maps: the cost does not grow with the list. */
export function createRevocationList(subjects: readonly RevocationSubject[]): RevocationList {
  const of = (kind: Kind): ReadonlyMap<string, RevocationSubject> =>
    new Map(subjects.filter((subject) => subject.kind === kind).map((subject) => [subject.value, subject]))
  const ids = of('spiffe-id')
  const serials = of('serial')
  const keys = of('authority-key')
  const keyIds = new Map([...keys].map(([value, subject]) => [value.toLowerCase(), subject]))
  const findKey = ({ subjectKeyId, publicKeyInfo }: Certificate): RevocationSubject | undefined =>
    keyIds.get(publicKeyInfo.keyId) ?? (subjectKeyId === undefined ? undefined : keyIds.get(subjectKeyId))
  return Object.freeze({
    subjects: Object.freeze([...subjects]),
    findX509(id: SpiffeId, path: readonly Certificate[]) {
      const [leaf, ...authorities] = path
      const found = ids.get(id.uri) ?? (leaf && serials.get(leaf.serialNumber))
      if (found || keyIds.size === 0) return found
      for (const authority of authorities) {
        const revoked = findKey(authority)
        if (revoked) return revoked
      }
      return undefined
    },
    findJwt: (id: SpiffeId, keyId: string) => ids.get(id.uri) ?? keys.get(keyId),
  })
}

export const NO_REVOCATIONS: RevocationList = createRevocationList([])

/** Serial numbers and key identifiers are taken as tools print them: upper case, colons. Throws `ERR_REVOCATION`. */
export function parseRevocationSubject(kind: string, value: string): RevocationSubject {
  if (!Object.hasOwn(PARSERS, kind)) {
    throw refusal(`the kind is none of ${Object.keys(PARSERS).join(', ')}`)
  }
  return { kind: kind as Kind, value: PARSERS[kind as Kind](value) }
}

/** RFC 5280 section 4.1.2.2: 20 octets. */
const MAX_SERIAL_DIGITS = 40
const MAX_KEY_ID_CHARACTERS = 256
/** Octets in hexadecimal with a colon between each two. */
const COLONS = /^[0-9a-f]{2}(?::[0-9a-f]{2})+$/i

const PARSERS: Record<Kind, (value: string) => string> = {
  'spiffe-id'(value) {
    const id = readId(value)
    if (id.path === '') throw refusal('a SPIFFE ID without a path is nobody’s')
    return id.uri
  },
  serial(value) {
    const digits = toPlainHex(value).toLowerCase()
    if (!/^[0-9a-f]+$/.test(digits)) throw refusal('a serial number is hexadecimal')
    const even = digits.length % 2 === 0 ? digits : `0${digits}`
    const serial = even.replace(/^(?:00)+(?=..)/, '')
    if (serial.length > MAX_SERIAL_DIGITS) throw refusal('a serial number has at most 20 octets')
    return serial
  },
  'authority-key'(value) {
    if (value.length > MAX_KEY_ID_CHARACTERS || !/^[\x21-\x7e]+$/.test(value)) {
      throw refusal(`a key identifier is 1 to ${MAX_KEY_ID_CHARACTERS} visible characters`)
    }
    return COLONS.test(value) ? toPlainHex(value).toLowerCase() : value
  },
}

function toPlainHex(value: string): string {
  return COLONS.test(value) ? value.replaceAll(':', '') : value
}

function readId(value: string): SpiffeId {
  try {
    return parseSpiffeId(value)
  } catch (cause) {
    throw new IdentityError('ERR_REVOCATION', `nothing to revoke: ${(cause as Error).message}`, { cause })
  }
}

function refusal(fault: string): IdentityError {
  return new IdentityError('ERR_REVOCATION', `nothing to revoke: ${fault}`)
}
