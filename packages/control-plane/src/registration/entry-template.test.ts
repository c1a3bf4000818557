import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { parseSpiffeId } from '@picket/identity'
import fc from 'fast-check'
import { couldBecome, expandTemplate, parseTemplate } from './entry-template.ts'
import { toFact } from '../attestors/selectors.ts'

const ID = 'spiffe://bank.test/ns/{k8s.ns}/sa/{k8s.sa}'

suite('a template', () => {
  test('is filled from the one fact that each place names', () => {
    const facts = ['k8s:ns:prod', 'k8s:sa:payments', 'k8s:nsx:other', 'service:a']
    assert.equal(expandTemplate(parseTemplate(ID), facts), 'spiffe://bank.test/ns/prod/sa/payments')
    assert.equal(expandTemplate(parseTemplate('{service}-{service}'), facts), 'a-a')
    assert.equal(expandTemplate(parseTemplate('x509/{x509pop.san.dns}'), ['x509pop:san:dns:db1']), 'x509/db1')
    assert.equal(expandTemplate(parseTemplate('plain'), []), 'plain')
  })

  const problems: [string, string[], RegExp][] = [
    ['no fact', ['k8s:sa:a'], /\{k8s\.ns\} has no value: no fact k8s:ns:… was proved/],
    ['two facts', ['k8s:ns:a', 'k8s:ns:b', 'k8s:sa:a'], /\{k8s\.ns\} has 2 values/],
    ['an empty value', ['k8s:ns:', 'k8s:sa:a'], /no path segment/],
    ['a value with a slash', ['k8s:ns:a/b', 'k8s:sa:a'], /no path segment/],
    ['a value that climbs', ['k8s:ns:..', 'k8s:sa:a'], /no path segment/],
    ['a dot', ['k8s:ns:.', 'k8s:sa:a'], /no path segment/],
    ['a value with a place', ['k8s:ns:{k8s.sa}', 'k8s:sa:a'], /no path segment/],
    ['a value with an escape', ['k8s:ns:a%2Fb', 'k8s:sa:a'], /no path segment/],
    ['a value with a query', ['k8s:ns:a?b', 'k8s:sa:a'], /no path segment/],
    ['a value with a colon', ['k8s:ns:a:b', 'k8s:sa:a'], /no path segment/],
  ]
  for (const [what, facts, message] of problems) {
    test(`gives nothing for ${what}`, () => {
      const outcome = expandTemplate(parseTemplate(ID), facts)
      assert.ok(typeof outcome !== 'string')
      assert.match(outcome.message, message)
    })
  }

  for (const text of [
    '{',
    '}',
    '{}',
    '{a',
    'a}',
    '{a}}',
    '{A}',
    '{a b}',
    '{a.}',
    '{.a}',
    '{a..b}',
    '{a.b.c.d.e}',
    '{1}',
  ]) {
    test(`is refused as ${text}`, () => assert.throws(() => parseTemplate(text), TypeError))
  }

  test('is refused with more than eight places', () => {
    assert.throws(() => parseTemplate('{a}'.repeat(9)), /more than 8/)
  })

  test('never gives a SPIFFE ID of another shape, whatever the facts are', () => {
    const value = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('a', '..', 'a/b', '%2e', '{k8s.sa}', 'ü'))
    const template = parseTemplate(ID)
    fc.assert(
      fc.property(value, value, fc.boolean(), (ns, sa, escaped) => {
        const facts = escaped ? [...toFact('k8s:ns', ns), ...toFact('k8s:sa', sa)] : [`k8s:ns:${ns}`, `k8s:sa:${sa}`]
        const outcome = expandTemplate(template, facts)
        if (typeof outcome !== 'string') return
        assert.equal(parseSpiffeId(outcome).path, `/ns/${ns}/sa/${sa}`)
        assert.ok(couldBecome(template, outcome))
      }),
    )
  })

  test('tells what could come of it', () => {
    const template = parseTemplate('spiffe://bank.test/ns/{k8s.ns}/sa-{k8s.sa}-x')
    for (const [uri, could] of [
      ['spiffe://bank.test/ns/a/sa-b-x', true],
      ['spiffe://bank.test/ns/a/sa--x', false],
      ['spiffe://bank.test/ns/a/b', false],
      ['spiffe://bank.test/ns/a/b/sa-b-x', false],
      ['spiffe://other.test/ns/a/sa-b-x', false],
    ] as const) {
      assert.equal(couldBecome(template, uri), could, uri)
    }
    assert.equal(couldBecome(parseTemplate('spiffe://bank.test/a'), 'spiffe://bank.test/a'), true)
  })
})

suite('a fact of somebody else’s words', () => {
  const facts: [string, string, readonly string[]][] = [
    ['as it is', 'db1.corp.test', ['cn:db1.corp.test']],
    ['with a space', 'db 1', ['cn:db%201']],
    ['with a percent sign', '100%', ['cn:100%25']],
    ['with what looks escaped', 'db%201', ['cn:db%25201']],
    ['with letters beyond ASCII', 'Zürich', ['cn:Z%C3%BCrich']],
    ['with control characters', 'a\0\n', ['cn:a%00%0A']],
    ['of no text', '', []],
    ['of too much text', 'a'.repeat(256), []],
    ['of text that is too much once escaped', 'ü'.repeat(50), []],
  ]
  for (const [what, value, expected] of facts) {
    test(`is written ${what}`, () => assert.deepEqual(toFact('cn', value), expected))
  }

  test('is another one for another value', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
        fc.pre(a !== b && a.isWellFormed() && b.isWellFormed() && toFact('cn', a).length > 0)
        assert.notDeepEqual(toFact('cn', a), toFact('cn', b))
        assert.match(toFact('cn', a)[0]!, /^cn:[\x21-\x7e]{1,255}$/)
      }),
    )
  })
})
