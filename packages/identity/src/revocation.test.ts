import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeName } from './distinguished-name.ts'
import { IdentityError } from './error.ts'
import { subjectKeyId } from './extension.ts'
import { OID } from './oid.ts'
import { createRevocationList, NO_REVOCATIONS, parseRevocationSubject, type RevocationSubject } from './revocation.ts'
import { createBundleSource } from './source.ts'
import { parseSpiffeId } from './spiffe-id.ts'
import { createTestAuthority } from './testing.ts'
import { verifyX509Svid } from './verify.ts'

const now = new Date()
const bank = createTestAuthority('bank.test')
const middle = bank.issueAuthority()
const { chain, id } = middle.issueSvid('/payments')
const [leaf, intermediate] = chain
const keyOf = (authority: typeof bank): string => authority.certificate.publicKeyInfo.keyId

const codeUnder = (subjects: readonly RevocationSubject[], presented = chain): string => {
  const verdict = verifyX509Svid(presented, createBundleSource([bank.bundle], createRevocationList(subjects)), now)
  return verdict.kind === 'refused' ? verdict.code : 'verified'
}

test('nothing is refused by an empty list, and by none', () => {
  assert.equal(codeUnder([]), 'verified')
  assert.equal(NO_REVOCATIONS.findX509(id, chain), undefined)
  assert.equal(verifyX509Svid(chain, { bundleFor: () => bank.bundle }, now).kind, 'verified')
})

const HITS: readonly (readonly [string, RevocationSubject])[] = [
  ['the leaf’s SPIFFE ID', { kind: 'spiffe-id', value: id.uri }],
  ['the leaf’s serial number', { kind: 'serial', value: leaf!.serialNumber }],
  ['the key of an intermediate', { kind: 'authority-key', value: keyOf(middle) }],
  ['the key of the root', { kind: 'authority-key', value: keyOf(bank) }],
  ['the key of the root in upper case', { kind: 'authority-key', value: keyOf(bank).toUpperCase() }],
]
for (const [what, subject] of HITS) {
  test(`a chain is refused by ${what}, and the refusal says so`, () => {
    const other: RevocationSubject = { kind: 'spiffe-id', value: 'spiffe://bank.test/other' }
    const bundles = createBundleSource([bank.bundle], createRevocationList([other, subject]))
    const verdict = verifyX509Svid(chain, bundles, now)
    assert.ok(verdict.kind === 'refused' && verdict.code === 'revoked')
    assert.ok(verdict.message.includes(subject.kind) && verdict.rule === 'deny-list')
  })
}

const MISSES: readonly (readonly [string, RevocationSubject])[] = [
  ['another ID', { kind: 'spiffe-id', value: `${id.uri}s` }],
  [
    'an intermediate’s serial number: authorities are revoked by key',
    { kind: 'serial', value: intermediate!.serialNumber },
  ],
  ['the leaf’s own key: it is no authority', { kind: 'authority-key', value: leaf!.publicKeyInfo.keyId }],
  ['an ID listed as a key', { kind: 'authority-key', value: id.uri }],
]
for (const [what, subject] of MISSES) {
  test(`a chain is not refused by ${what}`, () => assert.equal(codeUnder([subject]), 'verified'))
}

test('a revoked authority is recognised by its key, whatever identifier its certificate claims', () => {
  const disguised = bank.issueAuthority({
    keyPair: middle.keyPair,
    subject: encodeName([{ oid: OID.organization, value: 'disguise' }]),
    extraExtensions: [subjectKeyId('00'.repeat(20))],
  })
  const svid = disguised.issueSvid('/payments', { without: [OID.authorityKeyId] })
  assert.equal(codeUnder([], svid.chain), 'verified')
  assert.equal(codeUnder([{ kind: 'authority-key', value: keyOf(middle) }], svid.chain), 'revoked')
  assert.equal(codeUnder([{ kind: 'authority-key', value: '00'.repeat(20) }], svid.chain), 'revoked')
})

test('a path around a revoked authority is still found', () => {
  const sibling = createTestAuthority('bank.test')
  const crossed = sibling.issueAuthority({ keyPair: middle.keyPair, subject: middle.certificate.subject })
  const both = { ...bank.bundle, x509Authorities: [bank.certificate, sibling.certificate] }
  const revoked = createRevocationList([{ kind: 'authority-key', value: keyOf(bank) }])
  const bundles = createBundleSource([both], revoked)
  assert.equal(verifyX509Svid([leaf!, intermediate!, crossed.certificate], bundles, now).kind, 'verified')
  assert.equal(verifyX509Svid(chain, bundles, now).kind, 'refused')
})

test('a forged certificate of a revoked ID is a forgery first', () => {
  const forged = bank.issueSvid('/payments', { signedWith: createTestAuthority('bank.test').keyPair })
  assert.equal(codeUnder([{ kind: 'spiffe-id', value: id.uri }], forged.chain), 'bad-signature')
})

test('JWT-SVIDs are refused by ID and by key identifier, letter for letter', () => {
  const list = createRevocationList([
    { kind: 'spiffe-id', value: id.uri },
    { kind: 'authority-key', value: 'Kid1' },
  ])
  const other = parseSpiffeId('spiffe://bank.test/other')
  assert.equal(list.findJwt(id, 'x')?.kind, 'spiffe-id')
  assert.equal(list.findJwt(other, 'Kid1')?.kind, 'authority-key')
  assert.equal(list.findJwt(other, 'kid1'), undefined)
})

const ACCEPTED = [
  ['spiffe-id', 'spiffe://bank.test/payments', 'spiffe://bank.test/payments'],
  ['serial', '0A:ff', '0aff'],
  ['serial', 'abc', '0abc'],
  ['serial', '0000ff', 'ff'],
  ['serial', '00', '00'],
  ['authority-key', 'AB:CD', 'abcd'],
  ['authority-key', 'Kid_1', 'Kid_1'],
] as const
for (const [kind, text, value] of ACCEPTED) {
  test(`takes the ${kind} ${text}`, () => assert.deepEqual(parseRevocationSubject(kind, text), { kind, value }))
}

const REFUSED = [
  ['ip', '127.0.0.1'],
  ['toString', 'x'],
  ['spiffe-id', 'spiffe://bank.test'],
  ['spiffe-id', 'https://bank.test/a'],
  ['spiffe-id', ''],
  ['serial', ''],
  ['serial', 'xyz'],
  ['serial', '-1'],
  ['serial', `01${'00'.repeat(20)}`],
  ['authority-key', ''],
  ['authority-key', 'a b'],
  ['authority-key', 'a'.repeat(257)],
] as const
for (const [kind, text] of REFUSED) {
  test(`refuses the ${kind} "${text.slice(0, 50)}"`, () =>
    assert.throws(() => parseRevocationSubject(kind, text), { code: 'ERR_REVOCATION' }))
}

test('arbitrary text is a subject that reads back as itself, or an IdentityError', () => {
  const kinds = fc.constantFrom('spiffe-id', 'serial', 'authority-key')
  fc.assert(
    fc.property(kinds, fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-fA-F:]{0,45}$/)), (kind, text) => {
      try {
        const subject = parseRevocationSubject(kind, text)
        assert.deepEqual(parseRevocationSubject(kind, subject.value), subject)
      } catch (thrown) {
        assert.ok(thrown instanceof IdentityError, String(thrown))
      }
    }),
  )
})
