import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createCsr, generateKeyPair, parseCsr } from '@picket/identity'
import fc from 'fast-check'
import { createKubernetesAttestor } from './kubernetes.ts'

const csr = parseCsr(createCsr(generateKeyPair()))
const USERNAME = 'system:serviceaccount:prod:payments'
const GOOD = { authenticated: true, audiences: ['picket'], user: { username: USERNAME } }

/** The facts that an API server's answer gives, or the words for the record. */
async function judge(status: object): Promise<readonly string[] | string | undefined> {
  const reviews = { review: async () => status as Record<string, unknown> }
  const attestor = createKubernetesAttestor(reviews, { audience: 'picket', cluster: 'east' })
  const verdict = await attestor.attest('aa.bb.cc', csr)
  return verdict.kind === 'attested' ? verdict.facts : verdict.detail
}

const USUAL = ['k8s:cluster:east', 'k8s:ns:prod', 'k8s:sa:payments']

suite('a TokenReview', () => {
  test('gives cluster, namespace and account, and the pod and node where it names them', async () => {
    assert.deepEqual(await judge(GOOD), USUAL)
    const extra = {
      'authentication.kubernetes.io/pod-name': ['pay-1'],
      'authentication.kubernetes.io/pod-uid': ['uid'],
      'authentication.kubernetes.io/node-name': ['node-a'],
      'authentication.kubernetes.io/node-uid': ['node-uid'],
      'somebody.else/pod-name': ['x'],
    }
    const facts = await judge({ ...GOOD, user: { username: USERNAME, extra } })
    const more = ['k8s:node-name:node-a', 'k8s:node-uid:node-uid', 'k8s:pod-name:pay-1', 'k8s:pod-uid:uid']
    assert.deepEqual(facts, [...USUAL, ...more].sort())
  })

  const strange: [string, unknown][] = [
    ['two pods', { 'authentication.kubernetes.io/pod-name': ['a', 'b'] }],
    ['a pod that is no list', { 'authentication.kubernetes.io/pod-name': 'a' }],
    ['a pod that is no text', { 'authentication.kubernetes.io/pod-name': [1] }],
    ['a pod of no name', { 'authentication.kubernetes.io/pod-name': [''] }],
    ['an inherited name', JSON.parse('{"__proto__":{"authentication.kubernetes.io/pod-name":["a"]}}')],
  ]
  for (const [what, extra] of strange) {
    test(`gives nothing of the pod for ${what}`, async () => {
      assert.deepEqual(await judge({ ...GOOD, user: { username: USERNAME, extra } }), USUAL)
    })
  }

  const refused: [string, object, RegExp][] = [
    ['nothing', {}, /does not authenticate/],
    ['a no', { ...GOOD, authenticated: false }, /does not authenticate/],
    ['a text that means yes', { ...GOOD, authenticated: 'true' }, /does not authenticate/],
    ['no audience', { ...GOOD, audiences: undefined }, /not for "picket"/],
    ['other audiences', { ...GOOD, audiences: ['vault', 'picket2'] }, /not for "picket"/],
    ['an audience that is a text', { ...GOOD, audiences: 'picket' }, /not for "picket"/],
    ['no user', { ...GOOD, user: undefined }, /service account/],
    ['a person', { ...GOOD, user: { username: 'alice' } }, /service account/],
    ['a node', { ...GOOD, user: { username: 'system:node:a' } }, /service account/],
    ['no account', { ...GOOD, user: { username: 'system:serviceaccount:prod' } }, /service account/],
    ['an account with a colon', { ...GOOD, user: { username: `${USERNAME}:x` } }, /service account/],
    ['a namespace of upper case', { ...GOOD, user: { username: 'system:serviceaccount:Prod:a' } }, /service account/],
    ['an account with a slash', { ...GOOD, user: { username: 'system:serviceaccount:a:b/c' } }, /service account/],
    ['a user that is a list', { ...GOOD, user: [USERNAME] }, /service account/],
  ]
  for (const [what, status, why] of refused) {
    test(`is a no when it says ${what}`, async () => {
      const verdict = await judge(status)
      assert.ok(typeof verdict === 'string')
      assert.match(verdict, why)
    })
  }

  test('gives well-formed facts or none, whatever it says', async () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(USERNAME, 'picket', 'a b', '..'))
    const extra = fc.dictionary(
      fc.constantFrom('authentication.kubernetes.io/pod-name', 'authentication.kubernetes.io/node-uid', 'x'),
      fc.oneof(fc.array(text, { maxLength: 2 }), fc.anything()),
    )
    const status = fc.record({
      authenticated: fc.constant(true),
      audiences: fc.oneof(fc.constant(['picket']), fc.anything()),
      user: fc.oneof(fc.record({ username: text, extra: fc.oneof(extra, fc.anything()) }), fc.anything()),
    })
    await fc.assert(
      fc.asyncProperty(status, async (given) => {
        const verdict = await judge(given)
        if (typeof verdict === 'string') return
        for (const fact of verdict!) assert.match(fact, /^k8s:[a-z-]+:[\x21-\x7e]{1,255}$/)
      }),
    )
  })
})
