import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { test } from 'node:test'
import { encodeName } from './distinguished-name.ts'
import { extendedKeyUsage, keyUsage, nameConstraints, subjectAltName } from './extension.ts'
import { generateKeyPair } from './key-pair.ts'
import { OID } from './oid.ts'
import { parseX509Svid, toLeafId } from './svid.ts'
import { lintX509Svid } from './svid-lint.ts'
import { createTestAuthority, type TestSvidOptions } from './testing.ts'

const authority = createTestAuthority('bank.test')
const lint = (options: TestSvidOptions): string[] => lintX509Svid(authority.issueSvid('/payments', options).chain[0]!)

test('a chain with its key is an SVID with the ID of its leaf', () => {
  const { chain, privateKey } = authority.issueSvid('/payments')
  const svid = parseX509Svid(chain, privateKey)
  assert.equal(svid.id.uri, 'spiffe://bank.test/payments')
  assert.equal(svid.notAfter.getTime(), chain[0]!.notAfter.getTime())
  assert.ok(Object.isFrozen(svid) && Object.isFrozen(svid.chain))
})

test('its dates are those that the whole chain shares', () => {
  const notAfter = new Date('2030-01-01T00:00:00Z')
  const notBefore = new Date('2026-02-01T00:00:00Z')
  const below = authority.issueAuthority({ notBefore, notAfter })
  const { chain, privateKey } = below.issueSvid('/payments', {
    notBefore: new Date('2026-01-01T00:00:00Z'),
    notAfter: new Date('2031-01-01T00:00:00Z'),
  })
  const svid = parseX509Svid(chain, privateKey)
  assert.deepEqual([svid.notBefore, svid.notAfter, svid.chain.length], [notBefore, notAfter, 2])
})

test('printing an SVID shows no key', () => {
  assert.match(inspect(authority.issueSvid('/payments')), /privateKey: \[redacted\]/)
})

/** Faults of a leaf that make it nobody's identity, with the code that a verifier gives. */
const NO_IDENTITY: readonly (readonly [string, string, TestSvidOptions])[] = [
  ['no URI name (rule 14)', 'bad-san', { uris: [], dnsNames: ['payments.bank.test'] }],
  ['no names at all (rule 14)', 'bad-san', { uris: [] }],
  ['two URI names (rule 14)', 'bad-san', { uris: ['spiffe://bank.test/a', 'spiffe://bank.test/b'] }],
  ['the same URI name twice (rule 14)', 'bad-san', { uris: ['spiffe://bank.test/a', 'spiffe://bank.test/a'] }],
  ['another URI beside the SPIFFE ID (rule 14)', 'bad-san', { uris: ['spiffe://bank.test/a', 'https://bank.test/'] }],
  ['a URI that is no SPIFFE ID (rule 27)', 'bad-spiffe-id', { uris: ['https://bank.test/payments'] }],
  ['an ID of upper case (rule 10)', 'bad-spiffe-id', { uris: ['SPIFFE://bank.test/payments'] }],
  ['an ID without a path (rule 16)', 'bad-spiffe-id', { uris: ['spiffe://bank.test'] }],
  ['the CA flag (rules 18, 24)', 'not-a-leaf', { isCa: true }],
  ['keyCertSign (rule 20)', 'not-a-leaf', { keyUsage: ['digitalSignature', 'keyCertSign'] }],
  ['cRLSign (rule 20)', 'not-a-leaf', { keyUsage: ['digitalSignature', 'cRLSign'] }],
  ['no digitalSignature (rule 20)', 'bad-key-usage', { keyUsage: ['keyAgreement'] }],
  ['server authentication alone (rule 22)', 'bad-key-usage', { extendedKeyUsage: [OID.serverAuth] }],
  ['client authentication alone (rule 22)', 'bad-key-usage', { extendedKeyUsage: [OID.clientAuth] }],
  [
    'an unknown critical extension (rule 26)',
    'unknown-critical-extension',
    { extraExtensions: [{ oid: '1.2.3.4', critical: true, value: Buffer.of(5, 0) }] },
  ],
]

for (const [what, code, options] of NO_IDENTITY) {
  test(`a leaf with ${what} is no identity, no SVID and not issued`, () => {
    const { chain, privateKey } = authority.issueSvid('/payments', options)
    const refusal = toLeafId(chain[0]!)
    assert.ok('kind' in refusal && refusal.code === code, inspect(refusal))
    assert.throws(() => parseX509Svid(chain, privateKey), { code: 'ERR_SVID' })
    assert.notDeepEqual(lintX509Svid(chain[0]!), [])
  })
}

test('a refusal names a few extensions, however many there are', () => {
  const extraExtensions = Array.from({ length: 50 }, (_, index) => ({
    oid: `1.2.3.${index}`,
    critical: true,
    value: Buffer.of(5, 0),
  }))
  const refusal = toLeafId(authority.issueSvid('/payments', { extraExtensions }).chain[0]!)
  assert.ok('kind' in refusal)
  assert.match(refusal.message, /: 1\.2\.3\.0, 1\.2\.3\.1, 1\.2\.3\.2 and 47 more$/)
})

test('refuses an empty chain, a chain of nine, a leaf after the leaf, and the key of another', () => {
  const { chain, privateKey } = authority.issueSvid('/payments')
  const another = authority.issueSvid('/ledger')
  const refuse = (certificates: typeof chain, key = privateKey): void =>
    assert.throws(() => parseX509Svid(certificates, key), { code: 'ERR_SVID' })
  refuse([])
  refuse([chain[0]!, ...Array.from({ length: 8 }, () => authority.certificate)])
  refuse([chain[0]!, another.chain[0]!])
  refuse(chain, another.privateKey)
  refuse(chain, generateKeyPair('ed25519').privateKey)
})

test('an SVID by the rules is clean, with and without DNS names, with a subject, of every algorithm', () => {
  assert.deepEqual(lint({}), [])
  assert.deepEqual(lint({ dnsNames: ['payments.bank.test'] }), [])
  assert.deepEqual(lint({ subject: encodeName([{ oid: OID.organization, value: 'SPIFFE' }]) }), [])
  assert.deepEqual(lint({ algorithm: 'ec-p384' }), [])
  assert.deepEqual(lint({ algorithm: 'ed25519' }), [])
})

/** What a verifier takes from other issuers, but ours must not hand out. */
const NOT_ISSUED: readonly (readonly [string, RegExp, TestSvidOptions])[] = [
  ['no key usage (rule 19)', /4.3/, { without: [OID.keyUsage] }],
  ['a key usage that is not critical (rule 19)', /4.3/, { extraExtensions: [keyUsage(['digitalSignature'], false)] }],
  ['no extended key usage (rule 22)', /4.4/, { without: [OID.extendedKeyUsage] }],
  [
    'an empty subject and names that are not critical (rule 17)',
    /X509-SVID 2/,
    { extraExtensions: [subjectAltName({ uris: ['spiffe://bank.test/payments'] }, false)] },
  ],
  ['no authority key identifier', /4.2.1.1/, { without: [OID.authorityKeyId] }],
  ['no subject key identifier', /4.2.1.2/, { without: [OID.subjectKeyId] }],
  ['name constraints', /4.2.1.10/, { extraExtensions: [nameConstraints(['bank.test'])] }],
  ['the serial number zero', /4.1.2.2/, { serialNumber: Buffer.of(0) }],
  ['dates the wrong way round', /4.1.2.5/, { notBefore: new Date(2e12), notAfter: new Date(1e12) }],
]

for (const [what, rule, options] of NOT_ISSUED) {
  test(`${what}: not issued, but an identity all the same`, () => {
    const svid = authority.issueSvid('/payments', options)
    const leaf = svid.chain[0]!
    assert.equal('kind' in toLeafId(leaf), false)
    const broken = lintX509Svid(leaf)
    assert.equal(broken.length, 1, inspect(broken))
    assert.match(broken[0]!, rule)
  })
}

test('extended key usage may be critical', () => {
  const extension = { ...extendedKeyUsage([OID.clientAuth, OID.serverAuth]), critical: true }
  assert.deepEqual(lint({ extraExtensions: [extension] }), [])
})
