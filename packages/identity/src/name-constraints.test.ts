import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Certificate } from './certificate.ts'
import { encodeName } from './distinguished-name.ts'
import { der, encodeDer, type DerValue } from './der.ts'
import { nameConstraints, subjectAltName, type Extension } from './extension.ts'
import { OID } from './oid.ts'
import type { BundleSource } from './source.ts'
import { createTestAuthority, type TestAuthority, type TestAuthorityOptions, type TestSvidOptions } from './testing.ts'
import { verifyX509Svid } from './verify.ts'

const now = new Date('2026-06-01T12:00:00Z')
const dates = { notBefore: new Date(now.getTime() - 3_600_000), notAfter: new Date(now.getTime() + 3_600_000) }
const createAuthority = (name: string, options: TestAuthorityOptions = {}): TestAuthority =>
  createTestAuthority(name, { ...dates, ...options })
const bank = createAuthority('bank.test')

const issue = (authority: TestAuthority, options: TestSvidOptions = {}): readonly Certificate[] =>
  authority.issueSvid('/payments', { ...dates, ...options }).chain

function codeOf(chain: readonly Certificate[], bundles: BundleSource): string {
  const verdict = verifyX509Svid(chain, bundles, now)
  return verdict.kind === 'refused' ? verdict.code : verdict.kind
}

const verified = (chain: readonly Certificate[], bundles: BundleSource): void =>
  assert.equal(codeOf(chain, bundles), 'verified')
const refused = (chain: readonly Certificate[], bundles: BundleSource): void =>
  assert.equal(codeOf(chain, bundles), 'name-constraints')

const CONSTRAINTS = [
  ['the trust domain permitted', ['bank.test'], [], true],
  ['another permitted', ['partner.test'], [], false],
  ['one of two permitted', ['partner.test', 'bank.test'], [], true],
  ['domains below it permitted, but not itself', ['.bank.test'], [], false],
  ['its parent’s domains permitted', ['.test'], [], true],
  ['a name that only ends alike permitted', ['ank.test'], [], false],
  ['domains below a name that only ends alike permitted', ['.nk.test'], [], false],
  ['the trust domain excluded', [], ['bank.test'], false],
  ['its parent’s domains excluded', [], ['.test'], false],
  ['another excluded', [], ['partner.test'], true],
  ['permitted and excluded', ['bank.test'], ['bank.test'], false],
  ['permitted in upper case', ['Bank.Test'], [], true],
  ['excluded in upper case', [], ['BANK.test'], false],
  ['a whole URI permitted, which is no host', ['spiffe://bank.test'], [], false],
  ['a whole URI excluded, which is no host', [], ['spiffe://bank.test'], false],
  ['a port excluded', [], ['bank.test:443'], false],
  ['nothing excluded, by an empty name', [], [''], false],
  ['nothing permitted, by an empty name', [''], [], false],
  ['a dot excluded', [], ['.'], false],
] as const

for (const [what, permitted, excluded, isGood] of CONSTRAINTS) {
  test(`name constraints (rule 25): ${what}: ${isGood ? 'verified' : 'refused'}`, () => {
    const root = createAuthority('bank.test', { permitted, excluded })
    if (isGood) verified(issue(root), root.bundles)
    else refused(issue(root), root.bundles)
  })
}

const constraintOn = (kind: 'permitted' | 'excluded', name: DerValue): Extension => ({
  oid: OID.nameConstraints,
  critical: true,
  value: encodeDer(der.sequence(der.wrapped(kind === 'permitted' ? 0 : 1, der.sequence(name)))),
})
const dnsConstraint = constraintOn('permitted', der.tagged(2, Buffer.from('bank.test')))

test('name constraints on DNS names hold for the leaf’s DNS names', () => {
  const root = createAuthority('bank.test', { extraExtensions: [dnsConstraint] })
  verified(issue(root), root.bundles)
  verified(issue(root, { dnsNames: ['bank.test', 'a.bank.test'] }), root.bundles)
  refused(issue(root, { dnsNames: ['a.bank.test', 'notbank.test'] }), root.bundles)
})

test('a DNS name that is excluded is so with the dot of the root, too', () => {
  const excluded = constraintOn('excluded', der.tagged(2, Buffer.from('secret.test')))
  const root = createAuthority('bank.test', { extraExtensions: [excluded] })
  verified(issue(root, { dnsNames: ['bank.test.'] }), root.bundles)
  for (const name of ['secret.test', 'SECRET.test', 'a.secret.test', 'secret.test.', 'a.secret.test.']) {
    refused(issue(root, { dnsNames: [name] }), root.bundles)
  }
})

test('name constraints hold for the whole path below, not for the next certificate alone', () => {
  const root = createAuthority('bank.test', { extraExtensions: [dnsConstraint] })
  const middle = root.issueAuthority(dates)
  verified(issue(middle), root.bundles)
  refused(issue(middle, { dnsNames: ['partner.test'] }), root.bundles)
})

test('a trust domain that looks like an address or a broken name is constrained as a name', () => {
  for (const name of ['10.0.0.1', '_a..b-', 'a_b']) {
    const root = createAuthority(name, { permitted: [name], excluded: [`x.${name}`] })
    verified(issue(root), root.bundles)
    const other = createAuthority(name, { permitted: ['bank.test'] })
    refused(issue(other), other.bundles)
  }
})

test('a host is not below itself', () => {
  const root = createAuthority('.test', { permitted: ['.test'] })
  refused(issue(root), root.bundles)
})

test('a constraint on a kind of name that is not evaluated refuses leaves with such a name', () => {
  const names = der.sequence(der.tagged(6, Buffer.from('spiffe://bank.test/a')), der.tagged(7, Buffer.alloc(4, 1)))
  const withAddress = { oid: OID.subjectAltName, critical: true, value: encodeDer(names) }
  const withSubject = { subject: encodeName([{ oid: OID.organization, value: 'SPIFFE' }]) }
  for (const kind of ['permitted', 'excluded'] as const) {
    const onAddresses = constraintOn(kind, der.tagged(7, Buffer.alloc(8, 1)))
    const address = createAuthority('bank.test', { extraExtensions: [onAddresses] })
    verified(issue(address), address.bundles)
    refused(issue(address, { extraExtensions: [withAddress] }), address.bundles)

    const onSubjects = constraintOn(kind, der.wrapped(4, der.sequence()))
    const directory = createAuthority('bank.test', { extraExtensions: [onSubjects] })
    verified(issue(directory), directory.bundles)
    refused(issue(directory, withSubject), directory.bundles)
  }
})

test('constraints of an intermediate hold too', () => {
  const narrow = bank.issueAuthority({ ...dates, extraExtensions: [nameConstraints(['partner.test'])] })
  refused(issue(narrow), bank.bundles)
})

test('the names of an authority that renewed itself are not constrained, those of every other are', () => {
  const root = createAuthority('bank.test', { permitted: ['bank.test'] })
  const { subject } = root.certificate
  const odd = { ...dates, extraExtensions: [subjectAltName({ uris: ['spiffe://elsewhere.test'] }, false)] }
  const renewed = root.issueAuthority({ ...odd, subject })
  verified(issue(renewed), root.bundles)
  refused(issue(root.issueAuthority(odd)), root.bundles)
  const anyDomain: BundleSource = { bundleFor: (trustDomain) => ({ ...root.bundle, trustDomain }) }
  refused(issue(renewed, { uris: ['spiffe://elsewhere.test/a'] }), anyDomain)
})

test('constraints are looked at on a path that leads to the bundle alone: a stranger cannot have us compare', () => {
  const stranger = createAuthority('bank.test', { subject: bank.certificate.subject })
  const narrow = stranger.issueAuthority({ ...dates, extraExtensions: [nameConstraints(['partner.test'])] })
  assert.equal(codeOf(issue(narrow), bank.bundles), 'unknown-authority')
})

test('a path around an issuer that is not for the name is still found', () => {
  const narrow = bank.issueAuthority({ ...dates, extraExtensions: [nameConstraints(['partner.test'])] })
  const { certificate, keyPair } = narrow
  const wide = bank.issueAuthority({ ...dates, keyPair, subject: certificate.subject })
  const [leaf] = issue(narrow)
  refused([leaf!, certificate], bank.bundles)
  verified([leaf!, certificate, wide.certificate], bank.bundles)
})
