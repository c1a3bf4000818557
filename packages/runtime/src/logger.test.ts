import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { test } from 'node:test'
import { Secret, silentLogger } from './logger.ts'

test('a secret shows itself to reveal and to nothing else', () => {
  const secret = new Secret('hunter2')
  assert.equal(secret.reveal(), 'hunter2')
  const shown = [
    String(secret),
    [secret].join(),
    JSON.stringify({ secret }),
    inspect({ secret }),
    inspect(secret, { showHidden: true }),
  ]
  for (const text of shown) {
    assert.match(text, /\[redacted\]/)
    assert.doesNotMatch(text, /hunter2/)
  }
  assert.deepEqual(Object.keys(secret), [])
})

test('the silent logger takes every level', () => {
  for (const level of ['error', 'warn', 'info', 'debug'] as const) silentLogger[level]('nothing', { happens: true })
})
