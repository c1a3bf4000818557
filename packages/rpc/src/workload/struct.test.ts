import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Struct } from './generated/google/protobuf/Struct.ts'
import type { Value } from './generated/google/protobuf/Value.ts'
import { toStruct } from './struct.ts'

/** The way back, as any reader of `google.protobuf.Struct` has it. */
function fromStruct({ fields }: Struct): unknown {
  return Object.fromEntries(Object.entries(fields ?? {}).map(([name, value]) => [name, fromValue(value)]))
}

function fromValue(value: Value): unknown {
  if (value.listValue) return (value.listValue.values ?? []).map(fromValue)
  if (value.structValue) return fromStruct(value.structValue)
  if (value.nullValue !== undefined) return null
  return value.stringValue ?? value.numberValue ?? value.boolValue
}

test('any JSON object comes back as it was', () => {
  const json = fc.dictionary(
    fc.string(),
    fc.jsonValue({ maxDepth: 6, noUnicodeString: false }) as fc.Arbitrary<unknown>,
    { noNullPrototype: true },
  )
  fc.assert(
    fc.property(json, (object) => {
      const plain = JSON.parse(JSON.stringify(object)) as Record<string, unknown>
      delete plain['__proto__']
      assert.deepEqual(fromStruct(toStruct(plain)), plain)
    }),
  )
})

test('what is nested too deep is refused; what JSON cannot say is left out', () => {
  let deep: Record<string, unknown> = {}
  for (let level = 0; level < 100; level++) deep = { deep }
  assert.throws(() => toStruct(deep), { code: 'ERR_RPC_INVALID' })
  assert.deepEqual(toStruct({ a: undefined, b: 2n ** 53n }), { fields: { b: { numberValue: 2 ** 53 } } })
})
