import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseTrustDomain } from '@picket/identity'
import { parseIdArgument, parseSelector, parseTtlSeconds, usage, usageList } from './arguments.ts'
import { toRelative, toTimestamp } from './time.ts'
import { FakeClock } from '@picket/runtime/testing'

const bank = parseTrustDomain('bank.test')

test('a SPIFFE ID may be typed in full or in short', () => {
  for (const text of ['spiffe://bank.test/payments', 'bank.test/payments', '/payments', 'payments']) {
    assert.equal(parseIdArgument(text, bank).uri, 'spiffe://bank.test/payments', text)
  }
  assert.equal(parseIdArgument('spiffe://other.test/a/b', bank).uri, 'spiffe://other.test/a/b')
  for (const text of ['', '/', 'Spiffe://bank.test/x', 'a b', 'http://bank.test/x', '/a//b']) {
    assert.throws(() => parseIdArgument(text, bank), /./, text)
  }
})

test('a lifetime is whole seconds', () => {
  assert.equal(parseTtlSeconds('1h30m'), 5400)
  for (const text of ['', '0s', '1500ms', '60', 'soon']) assert.throws(() => parseTtlSeconds(text), Error, text)
})

test('a selector has a type and a value', () => {
  assert.equal(parseSelector('service:payments'), 'service:payments')
  assert.equal(parseSelector('k8s:ns:bank'), 'k8s:ns:bank')
  for (const text of ['', 'payments', ':payments', 'service:', 'service: x'])
    assert.throws(() => parseSelector(text), Error, text)
})

test('a parser’s complaint becomes a usage error, lists collect', () => {
  assert.throws(() => usage(parseSelector)('x'), { code: 'commander.invalidArgument' })
  const list = usageList(parseSelector)
  assert.deepEqual(list('b:2', list('a:1', undefined)), ['a:1', 'b:2'])
})

test('times are RFC 3339, or relative for people', () => {
  const clock = new FakeClock('2026-01-01T00:00:00Z')
  assert.equal(toTimestamp(clock.now()), '2026-01-01T00:00:00.000Z')
  assert.equal(toTimestamp(0), null)
  assert.equal(toRelative('2026-01-01T00:59:12Z', clock), 'in 59m 12s')
  assert.equal(toRelative('2025-12-31T23:59:30Z', clock), '30s ago')
  assert.equal(toRelative(null, clock), '')
})
