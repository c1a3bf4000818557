import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeName } from './distinguished-name.ts'
import { basicConstraints, extendedKeyUsage, keyUsage, subjectAltName, subjectKeyId } from './extension.ts'
import { OID } from './oid.ts'
import { createTestAuthority, type TestAuthorityOptions, type TestSvidOptions } from './testing.ts'
import { verifyCertificatePath, verifyX509Svid } from './verify.ts'

const now = new Date()
const bank = createTestAuthority('bank.test')

/** What is taken as it is, but refused in strict mode, with the rule that is named then. */
const LEAVES: readonly (readonly [string, string, TestSvidOptions])[] = [
  ['a leaf without key usage', 'X509-SVID 4.3 (rule 19)', { without: [OID.keyUsage] }],
  [
    'a leaf whose key usage is not critical',
    'X509-SVID 4.3 (rule 19)',
    { extraExtensions: [keyUsage(['digitalSignature'], false)] },
  ],
  ['a leaf without extended key usage', 'X509-SVID 4.4 (rule 22)', { without: [OID.extendedKeyUsage] }],
  [
    'a leaf with no subject and names that are not critical',
    'X509-SVID 2 (rule 17)',
    { extraExtensions: [subjectAltName({ uris: ['spiffe://bank.test/payments'] }, false)] },
  ],
  ['a leaf without authority key identifier', 'RFC 5280 4.2.1.1', { without: [OID.authorityKeyId] }],
  ['a leaf of the serial number zero', 'RFC 5280 4.1.2.2', { serialNumber: Buffer.of(0) }],
]
for (const [what, rule, options] of LEAVES) {
  test(`${what}: an identity, but not in strict mode`, () => {
    const { chain } = bank.issueSvid('/payments', options)
    assert.equal(verifyX509Svid(chain, bank.bundles, now).kind, 'verified')
    const verdict = verifyX509Svid(chain, bank.bundles, now, { strict: true })
    assert.ok(verdict.kind === 'refused' && verdict.code === 'issuer-rules')
    assert.equal(verdict.rule, rule)
  })
}

const AUTHORITIES: readonly (readonly [string, string, TestAuthorityOptions])[] = [
  ['an authority without key usage', 'X509-SVID 4.3 (rule 19)', { without: [OID.keyUsage] }],
  [
    'an authority whose key usage is not critical',
    'X509-SVID 4.3 (rule 19)',
    { extraExtensions: [keyUsage(['keyCertSign'], false)] },
  ],
  [
    'an authority whose SPIFFE ID has a path',
    'X509-SVID 3.2 (rule 23)',
    { extraExtensions: [subjectAltName({ uris: ['spiffe://bank.test/ca'] }, false)] },
  ],
  [
    'an authority with two URI names',
    'X509-SVID 2 (rule 14)',
    { extraExtensions: [subjectAltName({ uris: ['spiffe://bank.test', 'https://bank.test'] }, false)] },
  ],
  [
    'an authority whose basic constraints are not critical',
    'RFC 5280 4.2.1.9',
    { extraExtensions: [{ ...basicConstraints(true), critical: false }] },
  ],
]
for (const [what, rule, options] of AUTHORITIES) {
  test(`${what}: may issue, but not in strict mode, be it of the bundle or between`, () => {
    const root = createTestAuthority('bank.test', options)
    const between = bank.issueAuthority(options)
    for (const authority of [root, between]) {
      const { chain } = authority.issueSvid('/payments')
      const { bundles } = authority === root ? root : bank
      assert.equal(verifyX509Svid(chain, bundles, now).kind, 'verified')
      const verdict = verifyX509Svid(chain, bundles, now, { strict: true })
      assert.ok(verdict.kind === 'refused' && verdict.code === 'issuer-rules')
      assert.equal(verdict.rule, rule)
    }
  })
}

test('strict mode takes what keeps every rule, from us and from others: subjects, key identifiers of other methods', () => {
  const foreign: TestSvidOptions = {
    subject: encodeName([{ oid: OID.organization, value: 'SPIRE' }]),
    extraExtensions: [subjectKeyId('ab'.repeat(20))],
  }
  for (const options of [{}, foreign, { dnsNames: ['payments.bank.test'] }]) {
    const { chain } = bank.issueAuthority().issueSvid('/payments', options)
    assert.equal(verifyX509Svid(chain, bank.bundles, now, { strict: true }).kind, 'verified')
  }
})

/** Each refusal names the document, the section and the number in the conformance list. */
const RULES: readonly (readonly [string, RegExp, TestSvidOptions])[] = [
  ['two URI names', /rule 14\)$/, { uris: ['spiffe://bank.test/a', 'spiffe://bank.test/b'] }],
  ['an ID without a path', /rule 16\)$/, { uris: ['spiffe://bank.test'] }],
  ['the CA flag', /rules 18, 24, 27\)$/, { isCa: true }],
  ['keyCertSign', /rules 20, 27\)$/, { keyUsage: ['digitalSignature', 'keyCertSign'] }],
  ['no digitalSignature', /rule 20\)$/, { keyUsage: ['keyAgreement'] }],
  ['an extended key usage for servers alone', /rule 22\)$/, { extraExtensions: [extendedKeyUsage([OID.serverAuth])] }],
  ['a query in its ID', /rule 2\)$/, { uris: ['spiffe://bank.test/a?b'] }],
  ['upper case in its trust domain', /rule 4\)$/, { uris: ['spiffe://BANK.test/a'] }],
  ['percent-encoding in its ID', /rule 6\)$/, { uris: ['spiffe://bank.test/%70ayments'] }],
  ['a dot segment in its ID', /rule 7\)$/, { uris: ['spiffe://bank.test/../a'] }],
  ['another scheme', /rule 1\)$/, { uris: ['https://bank.test/a'] }],
  ['another trust domain', /rules 13, 49\)$/, { uris: ['spiffe://elsewhere.test/a'] }],
  ['a date gone by', /rule 26\)$/, { notAfter: new Date(now.getTime() - 1000) }],
]
for (const [what, rule, options] of RULES) {
  test(`the refusal of a leaf with ${what} names its rule`, () => {
    const verdict = verifyX509Svid(bank.issueSvid('/payments', options).chain, bank.bundles, now)
    assert.ok(verdict.kind === 'refused')
    assert.match(verdict.rule, rule)
  })
}

const roots = [bank.certificate]
const codeOf = (options: TestSvidOptions, authorities = roots): string => {
  const verdict = verifyCertificatePath(bank.issueAuthority().issueSvid('/x', options).chain, authorities, now)
  return verdict.kind === 'refused' ? verdict.code : verdict.kind
}

test('a path without the SPIFFE rules takes any names and purposes, and says how it went', () => {
  const machine = { uris: [], dnsNames: ['host-1.bank.test'], extendedKeyUsage: [OID.clientAuth] }
  const { chain } = bank.issueAuthority().issueSvid('/x', machine)
  const verdict = verifyCertificatePath(chain, roots, now)
  assert.ok(verdict.kind === 'verified')
  assert.deepEqual(verdict.path, [...chain, bank.certificate])
  assert.equal(codeOf({ uris: [], subject: encodeName([{ oid: OID.commonName, value: 'host-1' }]) }), 'verified')
})

test('a path without the SPIFFE rules is still one of RFC 5280', () => {
  const critical = { oid: '1.2.3.4', critical: true, value: Buffer.of(5, 0) }
  assert.equal(verifyCertificatePath([], roots, now).kind, 'refused')
  assert.equal(codeOf({}, []), 'unknown-authority')
  assert.equal(codeOf({}, [createTestAuthority('bank.test').certificate]), 'unknown-authority')
  assert.equal(codeOf({ isCa: true }), 'not-a-leaf')
  assert.equal(codeOf({ keyUsage: ['keyAgreement'] }), 'bad-key-usage')
  assert.equal(codeOf({ extraExtensions: [critical] }), 'unknown-critical-extension')
  assert.equal(codeOf({ notAfter: new Date(now.getTime() - 1000) }), 'expired')
  assert.equal(codeOf({ notBefore: new Date(now.getTime() + 120_000) }), 'not-yet-valid')
  assert.equal(codeOf({ signedWith: bank.keyPair }), 'bad-signature')
})
