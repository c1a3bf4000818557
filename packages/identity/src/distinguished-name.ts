import { der, encodeDer } from './der.ts'

/** A Name of no attributes: what an SVID of ours has as its subject, its identity being the URI alone. */
export const EMPTY_NAME: Buffer = encodeDer(der.sequence())

/** DER of a Name with one attribute (UTF8String) to each relative distinguished name, in order. */
export function encodeName(attributes: readonly { oid: string; value: string }[]): Buffer {
  return encodeDer(
    der.sequence(...attributes.map(({ oid, value }) => der.set(der.sequence(der.oid(oid), der.utf8(value))))),
  )
}
