import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { parseTrustDomain } from '@picket/identity'
import type { EntryDraft } from '@picket/rpc'
import { parseEntryDraft } from './entry-draft.ts'

const trustDomain = parseTrustDomain('bank.test')
const DRAFT: EntryDraft = {
  spiffeId: 'spiffe://{td}/ns/{k8s.ns}/sa/{k8s.sa}',
  selectors: ['k8s:cluster:east'],
  ttlSeconds: 0,
  dnsNames: [],
  hint: '',
  federatesWith: [],
  service: '',
}
const serviceOf = (change: Partial<EntryDraft>): string =>
  parseEntryDraft({ ...DRAFT, ...change }, trustDomain).service.text

suite('an entry with a template', () => {
  test('is of the own trust domain, and its service names every place that is open', () => {
    const { spiffeId } = parseEntryDraft(DRAFT, trustDomain)
    assert.equal(spiffeId.text, 'spiffe://bank.test/ns/{k8s.ns}/sa/{k8s.sa}')
    assert.deepEqual(spiffeId.places, ['k8s:ns', 'k8s:sa'])
    assert.equal(serviceOf({}), '{k8s.ns}_{k8s.sa}')
    assert.equal(serviceOf({ selectors: ['k8s:ns:prod'] }), '{k8s.sa}', 'the namespace is the same for all')
    assert.equal(serviceOf({ service: 'sa-{k8s.sa}-{k8s.ns}' }), 'sa-{k8s.sa}-{k8s.ns}')
  })

  const refused: [string, Partial<EntryDraft>, RegExp][] = [
    [
      'a service that several SPIFFE IDs would share',
      { service: '{k8s.sa}' },
      /^service: .*write \{k8s\.ns\}_\{k8s\.sa\}/,
    ],
    ['a service of one name', { service: 'payments' }, /^service: .*several SPIFFE IDs/],
    ['a service of no form', { service: '{k8s.ns}.{k8s.sa}' }, /^service: .*not a service name/],
    ['a place in the trust domain', { spiffeId: 'spiffe://{k8s.ns}/a' }, /^spiffe_id: .*not in the trust domain/],
    ['a place before the path', { spiffeId: 'spiffe://bank.test{k8s.ns}' }, /^spiffe_id: /],
    ['a place for the whole', { spiffeId: '{service}' }, /^spiffe_id: /],
    ['another trust domain', { spiffeId: 'spiffe://other.test/{service}' }, /^spiffe_id: .*not in the trust domain/],
    ['a reserved path', { spiffeId: 'spiffe://{td}/picket/{service}' }, /^spiffe_id: .*keeps for itself/],
    ['a place of no form', { spiffeId: 'spiffe://{td}/{k8s ns}' }, /^spiffe_id: .*names no fact/],
    ['a brace alone', { spiffeId: 'spiffe://{td}/{service' }, /^spiffe_id: a brace has no partner/],
    ['the trust domain in the path', { spiffeId: 'spiffe://bank.test/{td}', service: 'x' }, /^service: .*several/],
    ['local selectors alone', { selectors: ['unix:uid:0', 'unix:gid:0'] }, /^selectors: those of type unix/],
    ['a hint of two lines', { hint: 'a\nb' }, /^hint: /],
    ['a hint of 1025 bytes', { hint: 'ü'.repeat(513) }, /^hint: /],
    [
      'its own trust domain to federate with',
      { federatesWith: ['bank.test'] },
      /^federates_with\[0\]: .*own trust domain/,
    ],
    ['no name to federate with', { federatesWith: ['ok.test', 'NOT'] }, /^federates_with\[1\]: /],
    ['a URI to federate with', { federatesWith: ['spiffe://ok.test'] }, /^federates_with\[0\]: /],
    [
      'too many to federate with',
      { federatesWith: Array.from({ length: 33 }, (_, n) => `d${n}.test`) },
      /^federates_with: more/,
    ],
  ]
  for (const [what, change, message] of refused) {
    test(`is refused with ${what}`, () => {
      assert.throws(() => parseEntryDraft({ ...DRAFT, ...change }, trustDomain), { code: 'ERR_ENTRY_INVALID', message })
    })
  }
})
