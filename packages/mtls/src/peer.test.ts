import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createBundleSource, createRevocationList, parseSpiffeId } from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { reverify, verifyChain, type VerifiedPeer } from './peer.ts'
import type { PeerRefusalCode } from './refusal.ts'

const bank = createTestAuthority('bank.test')
const stranger = createTestAuthority('stranger.test')
const now = new Date()
const hour = 3_600_000

function derOf({ chain }: { chain: readonly { der: Buffer }[] }): Buffer[] {
  return chain.map(({ der }) => der)
}

test('a peer is the SPIFFE ID of its leaf, until the first certificate of its path expires', () => {
  const below = bank.issueAuthority({ notAfter: new Date(now.getTime() + hour / 2) })
  const peer = verifyChain(derOf(below.issueSvid('/payments')), bank.bundles, now)
  assert(peer.kind === 'verified')
  assert.equal(peer.id.uri, 'spiffe://bank.test/payments')
  assert.equal(Math.floor(peer.notAfter.getTime() / 1000), Math.floor((now.getTime() + hour / 2) / 1000))
  assert.equal(peer.resumed, false)
})

test('every way of not being a peer has its own code', () => {
  const both = createBundleSource([bank.bundle, stranger.bundle])
  const cases: [PeerRefusalCode, Buffer[]][] = [
    ['no-certificate', []],
    ['malformed-certificate', [Buffer.from('3000', 'hex')]],
    ['no-bundle', derOf(createTestAuthority('unknown.test').issueSvid('/a'))],
    ['expired', derOf(bank.issueSvid('/a', { notAfter: new Date(now.getTime() - 1000) }))],
    ['not-yet-valid', derOf(bank.issueSvid('/a', { notBefore: new Date(now.getTime() + 120_000) }))],
    ['unknown-authority', derOf(stranger.issueSvid('/a', { uris: ['spiffe://bank.test/ledger'] }))],
    ['unknown-authority', derOf(bank.issueAuthority().issueSvid('/a')).slice(0, 1)],
    ['not-a-leaf', derOf(bank.issueSvid('/a', { isCa: true }))],
    ['bad-san', derOf(bank.issueSvid('/a', { uris: ['spiffe://bank.test/a', 'spiffe://bank.test/b'] }))],
  ]
  for (const [code, chain] of cases) {
    const refusal = verifyChain(chain, both, now)
    assert.equal(refusal.kind === 'refused' && refusal.code, code)
  }
})

test('a refusal by the SVID rules says which, one by TLS alone says none', () => {
  const wrong = verifyChain(derOf(bank.issueSvid('/a', { uris: [] })), bank.bundles, now)
  assert.equal(wrong.kind === 'refused' && wrong.rule, 'X509-SVID 2 (rule 14)')
  const none = verifyChain([], bank.bundles, now)
  assert.ok(none.kind === 'refused' && !('rule' in none))
})

test('a live peer is refused once it is on the deny-list', () => {
  const peer = verifyChain(derOf(bank.issueSvid('/ledger')), bank.bundles, now) as VerifiedPeer
  const list = createRevocationList([{ kind: 'spiffe-id', value: peer.id.uri }])
  const again = reverify(peer, createBundleSource([bank.bundle], list), now)
  assert.equal(again.kind === 'refused' && again.code, 'revoked')
})

test('an expected peer is one exact ID, or whatever a predicate accepts', () => {
  const chain = derOf(bank.issueSvid('/ledger'))
  const codeFor = (expected: Parameters<typeof verifyChain>[3]): string => {
    const peer = verifyChain(chain, bank.bundles, now, expected)
    return peer.kind === 'refused' ? peer.code : peer.kind
  }
  assert.equal(codeFor(parseSpiffeId('spiffe://bank.test/ledger')), 'verified')
  assert.equal(codeFor(parseSpiffeId('spiffe://bank.test/ledger/x')), 'wrong-id')
  assert.equal(codeFor(parseSpiffeId('spiffe://bank.test')), 'wrong-id')
  assert.equal(
    codeFor((id) => id.path === '/ledger'),
    'verified',
  )
  assert.equal(
    codeFor(() => false),
    'wrong-id',
  )
})

test('a live peer is refused once its authority has left the bundle or its time has passed', () => {
  const peer = verifyChain(derOf(bank.issueSvid('/ledger')), bank.bundles, now) as VerifiedPeer
  assert.equal(reverify(peer, bank.bundles, now).kind, 'verified')
  const rotated = createBundleSource([createTestAuthority('bank.test').bundle])
  const gone = reverify(peer, rotated, now)
  assert.equal(gone.kind === 'refused' && gone.code, 'unknown-authority')
  const late = reverify(peer, bank.bundles, new Date(now.getTime() + 2 * hour))
  assert.equal(late.kind === 'refused' && late.code, 'expired')
})

test('no bytes make it throw', () => {
  const [leaf] = derOf(bank.issueSvid('/ledger'))
  fc.assert(
    fc.property(fc.nat({ max: leaf!.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const altered = Buffer.from(leaf!)
      altered[at]! ^= change
      assert.equal(verifyChain([altered], bank.bundles, now).kind, 'refused')
    }),
  )
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { minLength: 1, maxLength: 12 }), (chain) => {
      assert.equal(verifyChain(chain, bank.bundles, now).kind, 'refused')
    }),
  )
})
