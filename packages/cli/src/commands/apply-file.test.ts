import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { parseTrustDomain } from '@picket/identity'
import fc from 'fast-check'
import { stringify } from 'yaml'
import { parseEntriesFile, toDesired, type DesiredEntry } from './apply-file.ts'

const trustDomain = parseTrustDomain('bank.test')
const desiredOf = (text: string): readonly DesiredEntry[] => toDesired(parseEntriesFile(text, 'e.yaml'), trustDomain)

suite('an entries file', () => {
  test('gives entries from a list and from documents, as the control plane would store them', () => {
    const desired = desiredOf(`
entries:
  - name: payments
    spiffe_id: /payments
    selectors: [zone:core, service:payments, zone:core]
    ttl: 30m
    dns_names: [payments.bank.test]
    hint: internal
    federates_with: [partner.test]
  - {spiffe_id: 'spiffe://{td}/ns/{k8s.ns}/sa/{k8s.sa}', selectors: ['k8s:cluster:east']}
---
spiffe_id: spiffe://bank.test/ledger
selectors:
  - service:ledger
`)
    const shown = desired.map(({ spiffeId, service, selectors, ttlSeconds, place }) => {
      return [spiffeId.text, service.text, selectors, ttlSeconds, place]
    })
    assert.deepEqual(shown, [
      ['spiffe://bank.test/payments', 'payments', ['service:payments', 'zone:core'], 1800, 'e.yaml:3'],
      ['spiffe://bank.test/ns/{k8s.ns}/sa/{k8s.sa}', '{k8s.ns}_{k8s.sa}', ['k8s:cluster:east'], 0, 'e.yaml:10'],
      ['spiffe://bank.test/ledger', 'ledger', ['service:ledger'], 0, 'e.yaml:12'],
    ])
    assert.deepEqual([desired[0]!.federatesWith, desired[0]!.hint], [['partner.test'], 'internal'])
  })

  test('may be JSON, and may be empty', () => {
    assert.equal(desiredOf('{"entries":[{"spiffe_id":"/a","selectors":["a:1"]}]}').length, 1)
    for (const text of ['', '# nothing\n', 'entries: []', '---\n---\n']) assert.deepEqual(desiredOf(text), [])
  })

  const refused: [string, string, RegExp][] = [
    ['a text', 'entries', /^e\.yaml:1: expected "entries:"/],
    ['a list alone', '- a', /^e\.yaml:1: expected "entries:"/],
    ['entries that are no list', 'entries: 5', /^e\.yaml:1: entries: expected a list/],
    ['an entry that is a text', 'entries:\n  - a', /^e\.yaml:2: entries\[0\]: expected an entry/],
    ['broken YAML', 'entries: [', /^e\.yaml:1: /],
    ['a key twice', 'spiffe_id: /a\nspiffe_id: /b\nselectors: [a:1]', /^e\.yaml:2: .*unique/],
    ['an unknown key', 'spiffe_id: /a\nselector: [a:1]', /e\.yaml:2: entries\[0\]: .*did you mean "selectors"/],
    ['a strange key', 'spiffe_id: /a\nselectors: [a:1]\nzzzzzz: 1', /e\.yaml:3: .*use name, spiffe_id/],
    ['no SPIFFE ID', 'selectors: [a:1]\nhint: x', /^e\.yaml:1: entries\[0\]: spiffe_id is missing$/],
    ['no selectors', 'spiffe_id: /a\nhint: x', /^e\.yaml:1: entries\[0\]: selectors is missing$/],
    [
      'selectors that are no list',
      'spiffe_id: /a\nselectors: a:1',
      /^e\.yaml:2: entries\[0\]\.selectors: expected a list/,
    ],
    ['an alias', 'spiffe_id: &a /a\nselectors: [*a]', /^e\.yaml:2: entries\[0\]\.selectors\[0\]: aliases are not/],
    ['a nested value', 'spiffe_id: {a: 1}\nselectors: [a:1]', /^e\.yaml:1: entries\[0\]\.spiffe_id: expected a value/],
    ['a TTL of no form', 'spiffe_id: /a\nselectors: [a:1]\nttl: soon', /^e\.yaml:3: entries\[0\]\.ttl: /],
    ['a TTL too short', 'spiffe_id: /a\nselectors: [a:1]\nttl: 1s', /^e\.yaml:3: entries\[0\]\.ttl: 1 is not between/],
    [
      'a bad selector',
      'spiffe_id: /a\nselectors:\n- a:1\n- b',
      /^e\.yaml:4: entries\[0\]\.selectors\[1\]: "b" is not TYPE/,
    ],
    ['only local selectors', 'spiffe_id: /a\nselectors: [unix:uid:0]', /^e\.yaml:2: .*name an attested fact too/],
    [
      'another trust domain',
      'name: x\nspiffe_id: spiffe://b.test/a\nselectors: [a:1]',
      /^e\.yaml:2: x\.spiffe_id: .*not in the/,
    ],
    [
      'a name twice',
      'name: x\nspiffe_id: /a\nselectors: [a:1]\n---\nname: x\nspiffe_id: /b\nselectors: [a:1]',
      /:5: .*e\.yaml:1/,
    ],
    [
      'an entry twice',
      'spiffe_id: /a\nselectors: [a:1]\n---\nspiffe_id: /a\nselectors: [a:1, a:1]',
      /:4: .*e\.yaml:1 already/,
    ],
  ]
  for (const [what, text, message] of refused) {
    test(`is refused with ${what}, by file, line and path`, () => {
      assert.throws(() => desiredOf(text), { code: 'ERR_CONFIG_FILE', message })
    })
  }

  test('is refused with all its problems at once', () => {
    const text = 'entries:\n- spiffe_id: x\n  selectors: []\n- spiffe_id: /b\n  selectors: [b]\n'
    assert.throws(
      () => desiredOf(text),
      ({ message }: Error) => message.split('\n').length === 3 && message.startsWith('e.yaml:2: '),
    )
  })

  test('gives entries or a list of problems, whatever it holds', () => {
    const value = fc.oneof(
      fc.constantFrom('/a', 'a:1', '5s', '', null, 7, true),
      fc.string(),
      fc.array(fc.constantFrom('a:1', 'b', 3, null)),
    )
    const entry = fc.dictionary(
      fc.constantFrom('name', 'spiffe_id', 'selectors', 'ttl', 'hint', 'zz', '__proto__'),
      value,
    )
    const text = fc.oneof(
      fc.string(),
      fc.array(entry).map((entries) => stringify({ entries })),
    )
    fc.assert(
      fc.property(text, (given) => {
        try {
          desiredOf(given)
        } catch (thrown) {
          assert.equal((thrown as { code?: string }).code, 'ERR_CONFIG_FILE')
        }
      }),
    )
  })
})
