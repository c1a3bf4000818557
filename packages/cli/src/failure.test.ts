import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RuntimeError } from '@picket/runtime'
import { CliError } from './error.ts'
import { exitCodeOf } from './exit-code.ts'
import { describeFailure } from './failure.ts'

const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
const down = new CliError('ERR_CONTROL_PLANE_DOWN', 'no control plane answers', { cause: refused })

test('an expected failure is its message and nothing else', () => {
  assert.equal(describeFailure(down, false), 'picket: no control plane answers\n')
})

test('each line of a longer message is marked', () => {
  assert.equal(describeFailure(new RuntimeError('ERR_SETTINGS', 'one\ntwo'), false), 'picket: one\npicket: two\n')
})

test('words from the wire do not steer the terminal', () => {
  const laggard = new RuntimeError('ERR_SETTINGS', 'these sidecars lag:\u001b[2J\u009b2J')
  assert.equal(describeFailure(laggard, false), 'picket: these sidecars lag:?[2J?2J\n')
})

test('a line that begins with a place is left to editors as it is', () => {
  const message = 'a/authz.rego:12: rego_parse_error: x\nsidecar.yaml:3: unknown key\n127.0.0.1:7443: taken'
  assert.equal(
    describeFailure(new RuntimeError('ERR_SETTINGS', message), false),
    `${message.replace('127', 'picket: 127')}\n`,
  )
})

test('with debug the causes and the stack are shown', () => {
  const text = describeFailure(down, true)
  assert.match(text, /^picket: no control plane answers$/m)
  assert.match(text, /CliError \[ERR_CONTROL_PLANE_DOWN\]/)
  assert.match(text, /caused by Error \[ECONNREFUSED\]: connect ECONNREFUSED/)
  assert.match(text, /^\s+at /m)
})

test('a system error is put in words with what it is about', () => {
  const inUse = Object.assign(new Error('listen'), { code: 'EADDRINUSE', address: '127.0.0.1', port: 7443 })
  assert.equal(
    describeFailure(inUse, false),
    'picket: 127.0.0.1:7443: the address is already in use by another process (EADDRINUSE)\n',
  )
  const missing = Object.assign(new Error('open'), { code: 'ENOENT', path: '/x/key.pem' })
  assert.equal(describeFailure(missing, false), 'picket: /x/key.pem: there is no such file or folder (ENOENT)\n')
})

test('a bug is called one, without its stack', () => {
  const text = describeFailure(new TypeError('x is not a function'), false)
  assert.match(text, /^picket: x is not a function\npicket: this should not happen: .*--debug/)
  assert.doesNotMatch(text, /^\s+at /m)
  assert.match(describeFailure('thrown text', true), /thrown text/)
})

test('a wrong command ends with 2, a failure with 1, an app that is not there with 127', () => {
  assert.equal(exitCodeOf(new CliError('ERR_USAGE', '')), 2)
  assert.equal(exitCodeOf(new RuntimeError('ERR_SETTINGS', '')), 2)
  assert.equal(exitCodeOf(down), 1)
  assert.equal(exitCodeOf(new CliError('ERR_COMMAND_NOT_FOUND', '')), 127)
  for (const thrown of [new TypeError('bug'), undefined, refused, { code: 'toString' }])
    assert.equal(exitCodeOf(thrown), 1)
})
