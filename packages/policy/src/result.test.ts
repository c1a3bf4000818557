import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isTrue, readJson, readResults, reasonOf } from './result.ts'

const at = 8
const memoryWith = (text: string): Uint8Array => Buffer.concat([Buffer.alloc(at, 0x20), Buffer.from(`${text}\0rest`)])

test('one true is true', () => assert.equal(isTrue(memoryWith('[{"result":true}]'), at), true))

describe('not true', () => {
  for (const text of [
    '',
    '[]',
    '[{"result":false}]',
    '[{"result":true}',
    '[{"result":true}] ',
    '[{"result":true},{"result":true}]',
    '[{"result":"true"}]',
    '[{"result":1}]',
    '[{"result":{"allowed":true}}]',
    '{"result":true}',
    'true',
  ]) {
    test(text || 'nothing', () => assert.equal(isTrue(memoryWith(text), at), false))
  }

  test('memory that ends before the result does', () => {
    assert.equal(isTrue(memoryWith('[{"result":true}]').subarray(0, at + 17), at), false)
    assert.equal(isTrue(memoryWith('[{"result":true}]'), at + 1_000), false)
    assert.equal(isTrue(new Uint8Array(0), 0), false)
  })

  test('any other JSON', () => {
    fc.assert(fc.property(fc.json(), (json) => assert.equal(isTrue(memoryWith(json), at), false)))
  })
})

test('each other outcome has its reason', () => {
  assert.equal(reasonOf([]), 'policy_undefined')
  assert.equal(reasonOf([false]), 'policy_denied')
  assert.equal(reasonOf([true, true]), 'policy_multiple_results')
  assert.equal(reasonOf([false, false]), 'policy_multiple_results')
  for (const value of ['true', 1, 0, null, [], {}, { allowed: true }])
    assert.equal(reasonOf([value]), 'policy_wrong_type')
})

test('results are read up to their end', () => {
  assert.deepEqual(readResults(memoryWith('[{"result":"é"},{"result":null}]'), at), ['é', null])
  assert.deepEqual(readResults(memoryWith('[]'), at), [])
})

test('what is no result set throws', () => {
  for (const text of ['', '{', '{}', 'null', '[1]', '[null]', '[{}]']) {
    assert.throws(() => readResults(memoryWith(text), at))
  }
  assert.throws(() => readJson(memoryWith('[]'), 0))
  assert.throws(() => readJson(new Uint8Array(4).fill(0x31), 1))
})
