import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { KEY_ALGORITHMS, parseSpiffeId } from '@picket/identity'
import fc from 'fast-check'
import { encodeIdentities, parseIdentities, type Identities } from './identities-payload.ts'

const IDENTITIES: Identities = {
  identities: [
    {
      spiffeId: parseSpiffeId('spiffe://bank.test/payments'),
      hint: '',
      selectors: [],
      federatesWith: ['partner.test'],
      keyAlgorithm: 'ec-p256',
      ttlSeconds: 0,
      dnsNames: ['payments.bank.test'],
    },
    {
      spiffeId: parseSpiffeId('spiffe://bank.test/ledger'),
      hint: 'ledger',
      selectors: ['unix:gid:2', 'unix:uid:1000'],
      federatesWith: [],
      keyAlgorithm: 'ml-dsa-65',
      ttlSeconds: 60,
      dnsNames: [],
    },
  ],
}

const ONE = JSON.parse(encodeIdentities(IDENTITIES).toString()).identities[0] as object
const withOne = (change: object): string => JSON.stringify({ identities: [{ ...ONE, ...change }] })

suite('identities', () => {
  test('are read as they were written, the default one first', () => {
    assert.deepEqual(parseIdentities(encodeIdentities(IDENTITIES)), IDENTITIES)
  })

  test('are written one to a line', () => {
    assert.equal(encodeIdentities(IDENTITIES).toString().split('\n').length, 5)
  })

  test('are read with members that this version does not know', () => {
    assert.equal(parseIdentities(Buffer.from(withOne({ weight: 3 }))).identities.length, 1)
  })

  const refused: Record<string, string> = {
    nothing: '',
    'none at all': '{"identities":[]}',
    'no list': '{"identities":{}}',
    'no object': '{"identities":[null]}',
    'a member twice': withOne({}).replace('"hint"', '"hint":"","hint"'),
    'no SPIFFE ID': withOne({ spiffeId: 'https://bank.test/x' }),
    'a selector of another type': withOne({ selectors: ['service:payments'] }),
    'a selector that is no text': withOne({ selectors: [1] }),
    'too many selectors': withOne({ selectors: Array.from({ length: 65 }, () => 'unix:uid:1') }),
    'a long hint': withOne({ hint: 'x'.repeat(1025) }),
    'a domain that is no name': withOne({ federatesWith: ['Partner Test'] }),
    'an unknown algorithm': withOne({ keyAlgorithm: 'rot13' }),
    'a fraction of a second': withOne({ ttlSeconds: 0.5 }),
    'less than no time': withOne({ ttlSeconds: -1 }),
    'names that are no list': withOne({ dnsNames: 'payments' }),
    'more than a thousand': JSON.stringify({
      identities: Array.from({ length: 1001 }, (_, at) => ({ ...ONE, spiffeId: `spiffe://bank.test/${at}` })),
    }),
  }
  for (const [name, text] of Object.entries(refused)) {
    test(`are refused with ${name}`, () => {
      assert.throws(() => parseIdentities(Buffer.from(text)), { code: 'ERR_RPC_INVALID' })
    })
  }

  test('survive the way there and back whatever they are', () => {
    const text = fc.string({ maxLength: 40, unit: 'grapheme' })
    const members = {
      spiffeId: fc.stringMatching(/^[a-z0-9]{1,20}$/).map((path) => parseSpiffeId(`spiffe://bank.test/${path}`)),
      hint: text,
      selectors: fc.uniqueArray(text.map((rest) => `unix:${rest}`)).map((list) => list.sort()),
      federatesWith: fc.uniqueArray(fc.stringMatching(/^[a-z0-9]{1,20}$/)).map((list) => list.sort()),
      keyAlgorithm: fc.constantFrom(...KEY_ALGORITHMS),
      ttlSeconds: fc.nat(),
      dnsNames: fc.array(text),
    }
    const record = fc.record(members, { noNullPrototype: true })
    const several = fc.uniqueArray(record, { minLength: 1, selector: ({ spiffeId }) => spiffeId.uri })
    fc.assert(
      fc.property(several, (identities) => {
        assert.deepEqual(parseIdentities(encodeIdentities({ identities })), { identities })
      }),
    )
  })
})
