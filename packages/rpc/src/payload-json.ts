import { parseStrictJson, type StrictJsonOptions } from '@picket/identity'
import { messageOf } from '@picket/runtime'
import { RESOURCE_BYTES } from './chunks.ts'
import { RpcError } from './rpc-error.ts'

/**
 * Resources that are Picket's own JSON. They are written with one record to a line and in a fixed order, so that the same
 * facts are the same bytes everywhere and a small change is a small delta. A reader ignores members that it does not
 * know, so that later control planes may add some; what it knows is checked, and counted before it is kept.
 */
export function readPayload<T>(
  bytes: Uint8Array,
  what: string,
  read: (root: unknown) => T,
  options: Partial<StrictJsonOptions> = {},
): T {
  try {
    return read(parseStrictJson(bytes, { maxLength: RESOURCE_BYTES, maxDepth: 8, maxValues: MOST_VALUES, ...options }))
  } catch (cause) {
    throw new RpcError('ERR_RPC_INVALID', `${what}: ${messageOf(cause)}`, { cause })
  }
}

const MOST_VALUES = 2_000_000

/** `{"NAME":[` one record to a line `],` the other members `}`. */
export function writePayload(name: string, records: readonly string[], ...rest: readonly string[]): Buffer {
  const list = records.length === 0 ? `"${name}":[]` : `"${name}":[\n${records.join(',\n')}\n]`
  return Buffer.from(`{${[list, ...rest].join(',\n')}}\n`)
}

export function memberOf(value: unknown, key: string): unknown {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  if (!isObject || !Object.hasOwn(value, key)) throw new TypeError(`"${key}" is missing`)
  return (value as Readonly<Record<string, unknown>>)[key]
}

export function listOf(value: unknown, key: string, most: number): readonly unknown[] {
  const member = memberOf(value, key)
  if (!Array.isArray(member)) throw new TypeError(`"${key}" is not a list`)
  if (member.length > most) throw new RangeError(`"${key}" has more than ${most} members`)
  return member
}

export function textsOf(value: unknown, key: string, most: number, mostCharacters: number): readonly string[] {
  return listOf(value, key, most).map((text) => checkText(text, key, mostCharacters))
}

export function textOf(value: unknown, key: string, mostCharacters = 2048): string {
  return checkText(memberOf(value, key), key, mostCharacters)
}

function checkText(text: unknown, key: string, mostCharacters: number): string {
  if (typeof text !== 'string') throw new TypeError(`"${key}" is not a text`)
  if (text.length > mostCharacters) throw new RangeError(`"${key}" is longer than ${mostCharacters} characters`)
  return text
}

/** A whole number from 0 on. */
export function countOf(value: unknown, key: string, most: number): number {
  const member = memberOf(value, key)
  const isCount = typeof member === 'number' && Number.isInteger(member) && member >= 0 && member <= most
  if (!isCount) throw new TypeError(`"${key}" is not a whole number from 0 to ${most}`)
  return member
}
