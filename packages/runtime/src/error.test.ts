import assert from 'node:assert/strict'
import { test } from 'node:test'
import { codeOf, messageOf, PicketError } from './error.ts'
import { RuntimeError } from './runtime-error.ts'

test('an error keeps its code, its cause and its class name', () => {
  const cause = new Error('disk full')
  const thrown = new RuntimeError('ERR_SEALED_FILE', 'cannot be opened', { cause })
  assert.ok(thrown instanceof PicketError)
  assert.deepEqual([thrown.name, thrown.code, thrown.retryable], ['RuntimeError', 'ERR_SEALED_FILE', false])
  assert.equal(thrown.cause, cause)
  assert.equal('cause' in new RuntimeError('ERR_DURATION', 'no cause'), false)
  assert.equal(new RuntimeError('ERR_ADDRESS', 'later', { retryable: true }).retryable, true)
})

test('messageOf and codeOf take whatever was thrown', () => {
  assert.equal(messageOf(new Error('broken')), 'broken')
  assert.equal(messageOf('plain text'), 'plain text')
  assert.equal(codeOf(Object.assign(new Error('x'), { code: 'ENOENT' })), 'ENOENT')
  for (const thrown of [undefined, null, 'text', 7, new Error('x'), { code: 7 }])
    assert.equal(codeOf(thrown), undefined)
})
