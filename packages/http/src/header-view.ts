import { hashHeaderName } from './header-name-set.ts'
import type { HeaderFields } from './header-fields.ts'
import { LAST_HOP_BY_HOP, OTHER } from './known-headers.ts'
import { equalsIgnoringCase } from './octets.ts'

interface SoughtName {
  readonly hash: number
  readonly spelled: Buffer
}

/** Names are asked for by code and policies, not by callers; the cap only guards against a policy that makes them up. */
const MAX_SOUGHT_NAMES = 1024
const soughtNames = new Map<string, SoughtName>()

function soughtName(lowerCaseName: string): SoughtName {
  const known = soughtNames.get(lowerCaseName)
  if (known) return known
  const sought = { hash: hashHeaderName(lowerCaseName), spelled: Buffer.from(lowerCaseName, 'latin1') }
  if (soughtNames.size < MAX_SOUGHT_NAMES) soughtNames.set(lowerCaseName, sought)
  return sought
}

/** Hop-by-hop fields, and those that the sender nominated as such, are neither forwarded nor shown. */
export function isHopByHop(fields: HeaderFields, index: number): boolean {
  const id = fields.ids[index]!
  return id !== OTHER && id <= LAST_HOP_BY_HOP
}

/** Index of the first end-to-end field of that name from `from` on, or -1. */
export function indexOfField(fields: HeaderFields, bytes: Buffer, lowerCaseName: string, from: number): number {
  const { hash, spelled } = soughtName(lowerCaseName)
  for (let i = from; i < fields.count; i++) {
    if (fields.hashes[i] !== hash || isHopByHop(fields, i)) continue
    const start = fields.offsets[4 * i]!
    if (fields.offsets[4 * i + 1]! - start === spelled.length && equalsIgnoringCase(bytes, start, spelled)) return i
  }
  return -1
}

export function valueOfField(fields: HeaderFields, bytes: Buffer, index: number): string {
  return bytes.toString('latin1', fields.offsets[4 * index + 2], fields.offsets[4 * index + 3])
}

/** The values of all end-to-end fields of that name, joined with ", ". */
export function joinedValue(fields: HeaderFields, bytes: Buffer, lowerCaseName: string): string | undefined {
  let index = indexOfField(fields, bytes, lowerCaseName, 0)
  if (index < 0) return undefined
  let joined = valueOfField(fields, bytes, index)
  while ((index = indexOfField(fields, bytes, lowerCaseName, index + 1)) >= 0)
    joined += `, ${valueOfField(fields, bytes, index)}`
  return joined
}

/** Every end-to-end field, lower-case names, null prototype. */
export function allValues(fields: HeaderFields, bytes: Buffer): Record<string, string> {
  const values = Object.create(null) as Record<string, string>
  for (let i = 0; i < fields.count; i++) {
    if (isHopByHop(fields, i)) continue
    const name = bytes.toString('latin1', fields.offsets[4 * i], fields.offsets[4 * i + 1]).toLowerCase()
    const value = valueOfField(fields, bytes, i)
    values[name] = name in values ? `${values[name]}, ${value}` : value
  }
  return values
}
