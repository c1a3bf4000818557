import type { Struct } from './generated/google/protobuf/Struct.ts'
import type { Value } from './generated/google/protobuf/Value.ts'
import { RpcError } from '../rpc-error.ts'

const MAX_DEPTH = 32

/**
 * A JSON object → `google.protobuf.Struct`. Its numbers are doubles; what JSON has no word for is left out. Throws
 * `ERR_RPC_INVALID` when it is nested too deep.
 */
export function toStruct(object: Readonly<Record<string, unknown>>, depth = 0): Struct {
  if (depth > MAX_DEPTH) throw new RpcError('ERR_RPC_INVALID', 'the claims are nested too deep')
  const fields = Object.entries(object).flatMap(([name, value]) => {
    const encoded = toValue(value, depth + 1)
    return encoded ? [[name, encoded] as const] : []
  })
  return { fields: Object.fromEntries(fields) }
}

function toValue(value: unknown, depth: number): Value | undefined {
  if (depth > MAX_DEPTH) throw new RpcError('ERR_RPC_INVALID', 'the claims are nested too deep')
  if (value === null) return { nullValue: 'NULL_VALUE' }
  if (Array.isArray(value)) {
    return {
      listValue: { values: value.map((item: unknown) => toValue(item, depth + 1) ?? { nullValue: 'NULL_VALUE' }) },
    }
  }
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'number' || typeof value === 'bigint') return { numberValue: Number(value) }
  if (typeof value === 'boolean') return { boolValue: value }
  if (typeof value === 'object') return { structValue: toStruct(value as Readonly<Record<string, unknown>>, depth) }
  return undefined
}
