import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lintSyntax } from './lint.ts'
import { compileError, parseErrors } from './opa.ts'

/** The part of OPA's syntax tree that matters: `not NAME(input.x)`, at 3:6. */
const negation = (name: string, negated = true): unknown => ({
  rules: [
    {
      body: [
        {
          negated,
          location: { file: 'a.rego', row: 3, col: 6 },
          terms: [
            { type: 'ref', value: name.split('.').map((value, i) => ({ type: i === 0 ? 'var' : 'string', value })) },
            {
              type: 'ref',
              value: [
                { type: 'var', value: 'input' },
                { type: 'string', value: 'x' },
              ],
            },
          ],
        },
      ],
    },
  ],
})

test('a negated builtin that can fail is found, with its place', () => {
  const [fault, ...more] = lintSyntax('a.rego', negation('net.cidr_contains'))
  assert.deepEqual([fault?.file, fault?.line, fault?.column, more.length], ['a.rego', 3, 6, 0])
  assert.match(fault?.message ?? '', /net\.cidr_contains/)
})

test('the same builtin without "not" is fine, and so is "not" with anything else', () => {
  assert.deepEqual(lintSyntax('a.rego', negation('net.cidr_contains', false)), [])
  assert.deepEqual(lintSyntax('a.rego', negation('startswith')), [])
  assert.deepEqual(lintSyntax('a.rego', undefined), [])
})

test('a builtin inside the negated call is found too', () => {
  const call = { type: 'call', value: [{ type: 'ref', value: [{ type: 'var', value: 'div' }] }, 1, 0] }
  const tree = { negated: true, terms: [{ type: 'ref', value: [{ type: 'var', value: 'gt' }] }, call] }
  assert.equal(lintSyntax('a.rego', tree).length, 1)
})

test("OPA's errors come with file, line, column and message", () => {
  const output = JSON.stringify({
    errors: [
      { message: 'unexpected eq token', code: 'rego_parse_error', location: { file: 'a.rego', row: 5, col: 18 } },
      { message: 'undefined ref: input.a', details: { oneOf: ['b', 'c'] } },
    ],
  })
  const errors = parseErrors(output)
  assert.deepEqual(errors[0], { file: 'a.rego', line: 5, column: 18, message: 'rego_parse_error: unexpected eq token' })
  assert.match(errors[1]?.message ?? '', /known: b, c/)
  const { code, message, locations } = compileError(errors)
  assert.equal(code, 'ERR_POLICY_COMPILE')
  assert.match(message, /^a\.rego:5: .*unexpected eq token.*1 more/)
  assert.equal(locations, errors)
})

test('what OPA says in prose is passed on', () => {
  assert.deepEqual(parseErrors('no such folder\nmore'), [{ file: '', line: 0, column: 0, message: 'no such folder' }])
  assert.equal(compileError([]).message, 'the policy does not compile')
})
