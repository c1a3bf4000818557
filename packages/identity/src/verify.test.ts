import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCertificate, type Certificate } from './certificate.ts'
import type { Extension } from './extension.ts'
import { KEY_ALGORITHMS } from './key-algorithm.ts'
import { generateKeyPair } from './key-pair.ts'
import { OID } from './oid.ts'
import { createBundleSource, type BundleSource } from './source.ts'
import { createTestAuthority, sharedKeyPair, type TestAuthority, type TestAuthorityOptions } from './testing.ts'
import { verifyX509Svid, type VerifiedSvid } from './verify.ts'
import type { SvidRefusal } from './svid-refusal.ts'

const now = new Date('2026-06-01T12:00:00Z')
const at = (seconds: number): Date => new Date(now.getTime() + seconds * 1000)
const dates = { notBefore: at(-3600), notAfter: at(3600) }
const createAuthority = (name: string, options: TestAuthorityOptions = {}): TestAuthority =>
  createTestAuthority(name, { ...dates, ...options })

const bank = createAuthority('bank.test')
const partner = createAuthority('partner.test')
const both = createBundleSource([bank.bundle, partner.bundle])

const issue = (
  authority: TestAuthority,
  options: Parameters<TestAuthority['issueSvid']>[1] = {},
): readonly Certificate[] => authority.issueSvid('/payments', { ...dates, ...options }).chain

function verified(chain: readonly Certificate[], bundles: BundleSource = both, instant = now): VerifiedSvid {
  const result = verifyX509Svid(chain, bundles, instant)
  if (result.kind === 'refused') assert.fail(`${result.code}: ${result.message}`)
  return result
}

function refused(
  code: SvidRefusal['code'],
  chain: readonly Certificate[],
  bundles: BundleSource = both,
  instant = now,
): void {
  const result = verifyX509Svid(chain, bundles, instant)
  assert.equal(result.kind === 'refused' ? result.code : 'verified', code)
}

for (const root of KEY_ALGORITHMS) {
  const authority = createAuthority('bank.test', { keyPair: sharedKeyPair(root) })
  for (const algorithm of KEY_ALGORITHMS) {
    test(`verifies a leaf of ${algorithm} under a root of ${root}`, () => {
      const { id, path, leaf, notAfter } = verified(
        issue(authority, { keyPair: sharedKeyPair(algorithm) }),
        authority.bundles,
      )
      assert.equal(id.uri, 'spiffe://bank.test/payments')
      assert.deepEqual(path, [leaf, authority.certificate])
      assert.deepEqual(notAfter, dates.notAfter)
    })
  }
}

test('verifies through intermediates in any order, and passes over certificates that do not belong', () => {
  const middle = bank.issueAuthority({ ...dates, notAfter: at(600) })
  const [leaf, low, high] = issue(middle.issueAuthority(dates))
  const stray = issue(partner)[0]!
  for (const rest of [
    [low, high],
    [high, low],
    [stray, high, bank.certificate, low, low],
  ] as Certificate[][]) {
    const { path, notAfter } = verified([leaf!, ...rest])
    assert.deepEqual(path, [leaf, low, high, bank.certificate])
    assert.deepEqual(notAfter, at(600))
  }
})

test('a bundle may hold an intermediate as its authority', () => {
  const middle = bank.issueAuthority(dates)
  const bundles = createBundleSource([{ ...bank.bundle, x509Authorities: [middle.certificate] }])
  assert.equal(verified(issue(middle), bundles).path.length, 2)
})

test('of two authorities with one key, the one in its dates counts', () => {
  const renewed = createAuthority('bank.test', { keyPair: bank.keyPair, subject: bank.certificate.subject })
  const lapsed = createAuthority('bank.test', {
    keyPair: bank.keyPair,
    subject: bank.certificate.subject,
    notAfter: at(-60),
  })
  const x509Authorities = [lapsed.certificate, renewed.certificate]
  const { path } = verified(issue(bank), createBundleSource([{ ...bank.bundle, x509Authorities }]))
  assert.equal(path[1], renewed.certificate)
})

test('an authority of the same name is told apart by its key identifier, at no signature check', () => {
  const namesakes = Array.from({ length: 40 }, () =>
    createAuthority('bank.test', { subject: bank.certificate.subject }),
  )
  const x509Authorities = [...namesakes.map(({ certificate }) => certificate), bank.certificate]
  assert.equal(
    verified(issue(bank), createBundleSource([{ ...bank.bundle, x509Authorities }])).path[1],
    bank.certificate,
  )
})

test('more namesakes without key identifiers than signature checks are allowed: refused, not searched for ever', () => {
  const namesakes = Array.from({ length: 40 }, () =>
    createAuthority('bank.test', { subject: bank.certificate.subject }),
  )
  const x509Authorities = [...namesakes.map(({ certificate }) => certificate), bank.certificate]
  const chain = issue(bank, { without: [OID.authorityKeyId] })
  refused('too-many-signatures', chain, createBundleSource([{ ...bank.bundle, x509Authorities }]))
})

test('the bundle of the leaf’s own trust domain counts, and no other (rules 13, 49)', () => {
  refused('bad-signature', issue(bank, { signedWith: partner.keyPair }))
  const impostor = issue(partner, { uris: ['spiffe://bank.test/payments'] })
  refused('unknown-authority', impostor)
  const liar: BundleSource = { bundleFor: () => partner.bundle }
  refused('no-bundle', impostor, liar)
  refused('no-bundle', issue(createAuthority('elsewhere.test')))
})

test('an empty bundle trusts nobody (rule 48)', () => {
  refused('unknown-authority', issue(bank), createBundleSource([{ ...bank.bundle, x509Authorities: [] }]))
})

test('dates: 60 seconds of allowance before, none after', () => {
  const chain = issue(bank, { notBefore: at(0), notAfter: at(100) })
  const instants = [
    [-61, 'not-yet-valid'],
    [-60, ''],
    [0, ''],
    [100, ''],
    [101, 'expired'],
  ] as const
  for (const [seconds, code] of instants) {
    if (code) refused(code, chain, both, at(seconds))
    else verified(chain, both, at(seconds))
  }
})

test('an authority, or an intermediate, out of its dates leads nowhere', () => {
  const lapsed = createAuthority('bank.test', { notAfter: at(-1) })
  refused('issuer-expired', issue(lapsed), lapsed.bundles)
  const early = createAuthority('bank.test', { notBefore: at(61) })
  refused('issuer-expired', issue(early), early.bundles)
  refused('issuer-expired', issue(bank.issueAuthority({ ...dates, notAfter: at(-1) })))
})

test('refuses no certificate, and more than eight', () => {
  refused('empty-chain', [])
  refused('chain-too-long', [...issue(bank), ...Array.from({ length: 8 }, () => bank.certificate)])
})

test('a signing certificate is nobody’s identity, not even an authority of the bundle (rule 24)', () => {
  refused('not-a-leaf', issue(bank, { isCa: true }))
  refused('not-a-leaf', [bank.certificate])
})

test('the leaf’s own rules come before its issuers', () => {
  refused('bad-san', issue(bank, { uris: [] }))
  refused('bad-spiffe-id', issue(bank, { uris: ['spiffe://bank.test'] }))
  refused('bad-key-usage', issue(bank, { extendedKeyUsage: [OID.clientAuth] }))
})

test('a leaf may not issue', () => {
  const pretender = createAuthority('bank.test', { isCa: false })
  refused('bad-issuer', issue(pretender), pretender.bundles)
  refused('bad-issuer', issue(bank.issueAuthority({ ...dates, isCa: false })))
})

test('an issuer without keyCertSign may not issue', () => {
  refused('bad-issuer', issue(bank.issueAuthority({ ...dates, keyUsage: ['digitalSignature'] })))
})

test('path lengths are kept (rule 26)', () => {
  const root = createAuthority('bank.test', { pathLen: 1 })
  const one = root.issueAuthority(dates)
  verified(issue(one), root.bundles)
  refused('path-too-long', issue(one.issueAuthority(dates)), root.bundles)
  const none = createAuthority('bank.test', { pathLen: 0 })
  verified(issue(none), none.bundles)
  refused('path-too-long', issue(none.issueAuthority(dates)), none.bundles)
})

test('an authority that renewed itself does not count in a path length (rule 26)', () => {
  const root = createAuthority('bank.test', { pathLen: 0 })
  const renewed = root.issueAuthority({ ...dates, subject: root.certificate.subject })
  assert.equal(verified(issue(renewed), root.bundles).path.length, 3)
  refused('path-too-long', issue(renewed.issueAuthority(dates)), root.bundles)
})

test('an intermediate that was not signed by the root leads nowhere', () => {
  const forger = createAuthority('bank.test', { subject: bank.certificate.subject })
  refused('unknown-authority', issue(forger.issueAuthority(dates)))
  refused('unknown-authority', issue(forger))
})

test('the right key under another name leads nowhere', () => {
  const renamed = createAuthority('bank.test', { keyPair: bank.keyPair })
  refused('unknown-authority', issue(bank), renamed.bundles)
})

test('a root that the peer brings along leads nowhere, and not in circles', () => {
  const stranger = createAuthority('bank.test')
  refused('unknown-authority', [...issue(stranger), stranger.certificate])
})

const critical: Extension = { oid: '1.2.3.4', critical: true, value: Buffer.of(5, 0) }

test('an unknown critical extension on an issuer is refused (rule 26)', () => {
  const odd = createAuthority('bank.test', { extraExtensions: [critical] })
  refused('unknown-critical-extension', issue(odd), odd.bundles)
})

test('a certificate of the path changed in any octet is refused', () => {
  const [leaf, middle] = issue(bank.issueAuthority(dates))
  for (const original of [leaf!, middle!]) {
    for (let index = 0; index < original.der.length; index += 3) {
      const bytes = Buffer.from(original.der)
      bytes[index]! ^= 0x10
      const changed = parsedOrUndefined(bytes)
      if (changed) {
        const chain = original === leaf ? [changed, middle!] : [leaf!, changed]
        assert.equal(verifyX509Svid(chain, both, now).kind, 'refused', `octet ${index}`)
      }
    }
  }
})

function parsedOrUndefined(bytes: Buffer): Certificate | undefined {
  try {
    return parseCertificate(bytes)
  } catch {
    return undefined
  }
}

test('an authority whose key is no point on its curve signs nothing, and nothing is thrown', () => {
  const bytes = Buffer.from(bank.certificate.der)
  const spki = bank.certificate.publicKeyInfo.der
  bytes[bytes.indexOf(spki) + spki.length - 1]! ^= 1
  const x509Authorities = [parseCertificate(bytes)]
  refused('bad-signature', issue(bank), createBundleSource([{ ...bank.bundle, x509Authorities }]))
})

test('a forged leaf under the right name is refused', () => {
  refused('bad-signature', issue(bank, { signedWith: generateKeyPair() }))
  refused('bad-signature', issue(bank, { signedWith: generateKeyPair('ed25519') }))
})
