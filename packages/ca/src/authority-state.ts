import { hash } from 'node:crypto'
import type { KeyAlgorithm } from '@picket/identity'
import {
  isAuthorityAlgorithm,
  AUTHORITY_KINDS,
  AUTHORITY_STATES,
  ROTATION_REASONS,
  type AuthoritySlot,
  type AuthoritySlots,
  type RotationIntent,
} from './authority-slots.ts'
import { isKeyAlgorithm, MAX_AUTHORITIES } from './profile.ts'

/**
 * `authorities.json`: which authorities there are and what each is for. The file carries its own checksum and every
 * member is checked, because a wrong bit here decides who signs: a damaged file is refused, never guessed at.
 */
const VERSION = 1
const MAX_STATE_CHARACTERS = 256 * 1024
const MAX_ID_CHARACTERS = 128

export function encodeAuthorityState(slots: AuthoritySlots): string {
  const state = { ...slots, sequence: String(slots.sequence) }
  return `${JSON.stringify({ version: VERSION, sha256: checksumOf(state), state }, undefined, 2)}\n`
}

/** Throws `TypeError` with what is wrong. */
export function parseAuthorityState(text: string): AuthoritySlots {
  if (text.length > MAX_STATE_CHARACTERS) throw new TypeError('it is too long')
  const file = toMembers(parseJson(text), ['version', 'sha256', 'state'], [])
  if (file['version'] !== VERSION) throw new TypeError('it is of a version that this program does not know')
  if (file['sha256'] !== checksumOf(file['state'])) throw new TypeError('its checksum is wrong')
  const members = ['trustDomain', 'sequence', 'svidAlgorithm', 'authorities'] as const
  const state = toMembers(file['state'], members, ['rotation'])
  const authorities = toList(state['authorities'], 2 * MAX_AUTHORITIES).map(toSlot)
  checkSlots(authorities)
  return {
    trustDomain: toText(state['trustDomain'], 255),
    sequence: toSequence(state['sequence']),
    svidAlgorithm: toAlgorithm(state['svidAlgorithm']),
    rotation: state['rotation'] === undefined ? undefined : toRotation(state['rotation']),
    authorities,
  }
}

function checksumOf(state: unknown): string {
  return hash('sha256', JSON.stringify(state) ?? '', 'hex')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new TypeError('it is not JSON')
  }
}

function toSlot(value: unknown): AuthoritySlot {
  const required = ['kind', 'keyId', 'algorithm', 'state', 'tainted', 'preparedAt', 'notBefore', 'notAfter', 'upstream']
  const slot = toMembers(value, required, ['activatedAt'])
  const kind = toOneOf(slot['kind'], AUTHORITY_KINDS)
  const algorithm = toAlgorithm(slot['algorithm'])
  if (!isAuthorityAlgorithm(kind, algorithm)) throw new TypeError(`${algorithm} is no algorithm of a ${kind} authority`)
  return {
    kind,
    keyId: toKeyId(slot['keyId']),
    algorithm,
    state: toOneOf(slot['state'], AUTHORITY_STATES),
    tainted: toBoolean(slot['tainted']),
    preparedAt: toDate(slot['preparedAt']),
    activatedAt: slot['activatedAt'] === undefined ? undefined : toDate(slot['activatedAt']),
    notBefore: toDate(slot['notBefore']),
    notAfter: toDate(slot['notAfter']),
    upstream: toBoolean(slot['upstream']),
  }
}

/** What no sequence of events leads to. */
function checkSlots(slots: readonly AuthoritySlot[]): void {
  for (const kind of AUTHORITY_KINDS) {
    const own = slots.filter((slot) => slot.kind === kind)
    const count = (state: string): number => own.filter((slot) => slot.state === state).length
    if (count('active') !== 1) throw new TypeError(`it has ${count('active')} active ${kind} authorities`)
    if (count('prepared') > 1) throw new TypeError(`it has ${count('prepared')} prepared ${kind} authorities`)
    if (own.length > MAX_AUTHORITIES) throw new TypeError(`it has ${own.length} ${kind} authorities`)
    if (new Set(own.map(({ keyId }) => keyId)).size !== own.length) throw new TypeError('it names a key twice')
  }
  for (const { kind, state, tainted, activatedAt, upstream } of slots) {
    if (tainted && state !== 'old') throw new TypeError('an authority that is not old is tainted')
    if ((activatedAt === undefined) !== (state === 'prepared')) throw new TypeError('an activation contradicts a state')
    if (upstream && kind === 'jwt') throw new TypeError('a jwt authority has an upstream')
  }
}

function toKeyId(value: unknown): string {
  if (typeof value !== 'string' || !/^[0-9a-f]{40}$/.test(value)) throw new TypeError('a key identifier is not one')
  return value
}

function toRotation(value: unknown): RotationIntent {
  const required = ['id', 'kinds', 'reason', 'retire', 'replaces', 'startedAt', 'quorum']
  const rotation = toMembers(value, required, ['algorithm', 'svidAlgorithm', 'deadlineAt'])
  const { quorum } = rotation
  if (typeof quorum !== 'number' || !(quorum >= 0 && quorum <= 1)) throw new TypeError('a quorum is not from 0 to 1')
  const optional = <T>(member: string, parse: (given: unknown) => T): T | undefined =>
    rotation[member] === undefined ? undefined : parse(rotation[member])
  return {
    id: toText(rotation['id'], MAX_ID_CHARACTERS),
    kinds: toList(rotation['kinds'], 2).map((kind) => toOneOf(kind, AUTHORITY_KINDS)),
    algorithm: optional('algorithm', toAlgorithm),
    svidAlgorithm: optional('svidAlgorithm', toAlgorithm),
    reason: toOneOf(rotation['reason'], ROTATION_REASONS),
    retire: toBoolean(rotation['retire']),
    replaces: toList(rotation['replaces'], 2).map(toKeyId),
    startedAt: toDate(rotation['startedAt']),
    deadlineAt: optional('deadlineAt', toDate),
    quorum,
  }
}

/** An object with all of `required`, perhaps some of `optional`, and nothing else. */
function toMembers(value: unknown, required: readonly string[], optional: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new TypeError('a part is not an object')
  const missing = required.find((name) => !Object.hasOwn(value, name))
  if (missing !== undefined) throw new TypeError(`"${missing}" is missing`)
  const unknown = Object.keys(value).find((name) => !required.includes(name) && !optional.includes(name))
  if (unknown !== undefined) throw new TypeError(`${JSON.stringify(unknown)} is not known`)
  return value as Record<string, unknown>
}

function toList(value: unknown, most: number): readonly unknown[] {
  if (!Array.isArray(value) || value.length > most) throw new TypeError('a list is not one, or is too long')
  return value
}

function toOneOf<T extends string>(value: unknown, known: readonly T[]): T {
  const found = known.find((one) => one === value)
  if (found === undefined) throw new TypeError(`a value is none of ${known.join(', ')}`)
  return found
}

function toAlgorithm(value: unknown): KeyAlgorithm {
  if (!isKeyAlgorithm(value)) throw new TypeError('a key algorithm is not known')
  return value
}

function toText(value: unknown, most: number): string {
  if (typeof value !== 'string' || value === '' || value.length > most) throw new TypeError('a text is not one')
  return value
}

function toBoolean(value: unknown): boolean {
  if (typeof value !== 'boolean') throw new TypeError('a truth value is not one')
  return value
}

/** Only the form that is written: ISO 8601 in UTC with milliseconds. */
function toDate(value: unknown): Date {
  const date = new Date(typeof value === 'string' ? value : Number.NaN)
  if (Number.isNaN(date.getTime()) || date.toISOString() !== value) throw new TypeError('an instant is not one')
  return date
}

/** Digits, because a JSON number is rounded above 2^53. */
function toSequence(value: unknown): bigint {
  if (typeof value !== 'string' || !/^(?:0|[1-9]\d{0,18})$/.test(value)) throw new TypeError('the sequence is not one')
  return BigInt(value)
}
