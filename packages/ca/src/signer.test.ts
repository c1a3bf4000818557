import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  basicConstraints,
  encodeName,
  generateKeyPair,
  OID,
  parseSpiffeId,
  subjectAltName,
  toPublicKeyInfo,
  type CertificateTemplate,
  type Extension,
} from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { systemRandom } from '@picket/runtime'
import { FakeClock } from '@picket/runtime/testing'
import { signSvid } from './signer.ts'
import { createSvidTemplate } from './template.ts'

const clock = new FakeClock()
const now = new Date(clock.now())
const authority = createTestAuthority('bank.test', { clock })
const id = parseSpiffeId('spiffe://bank.test/payments')
const publicKeyInfo = toPublicKeyInfo(generateKeyPair().publicKey)
const request = { id, publicKeyInfo, ttlMs: 3_600_000, dnsNames: [] }
const template = createSvidTemplate(request, authority.certificate, clock.now(), systemRandom)

const sign = (changed: Partial<CertificateTemplate>, key = authority.keyPair.privateKey): unknown =>
  signSvid({ ...template, ...changed }, key, { id, bundle: authority.bundle, now })

const replaced = (extension: Extension): Partial<CertificateTemplate> => ({
  extensions: template.extensions.map((usual) => (usual.oid === extension.oid ? extension : usual)),
})
const without = (oid: string): Partial<CertificateTemplate> => ({
  extensions: template.extensions.filter((extension) => extension.oid !== oid),
})

test('a template by the profile is signed', () => assert.ok(sign({})))

/** Whatever went wrong before it, the signer lets nothing out that breaks the rules. */
const REFUSED: readonly (readonly [string, Partial<CertificateTemplate>])[] = [
  ['a signing certificate', replaced(basicConstraints(true))],
  ['no key usage', without(OID.keyUsage)],
  ['no extended key usage', without(OID.extendedKeyUsage)],
  ['no names', without(OID.subjectAltName)],
  ['no authority key identifier', without(OID.authorityKeyId)],
  ['two URI names', replaced(subjectAltName({ uris: [id.uri, id.uri] }, true))],
  ['another identity', replaced(subjectAltName({ uris: ['spiffe://bank.test/ledger'] }, true))],
  ['an identity of another trust domain', replaced(subjectAltName({ uris: ['spiffe://partner.test/payments'] }, true))],
  ['names that are not critical', replaced(subjectAltName({ uris: [id.uri] }, false))],
  ['an extension twice', { extensions: [...template.extensions, template.extensions[0]!] }],
  [
    'an unknown critical extension',
    { extensions: [...template.extensions, { oid: '1.2.3', critical: true, value: Buffer.of(5, 0) }] },
  ],
  ['another issuer', { issuer: encodeName([{ oid: OID.organization, value: 'somebody' }]) }],
  ['dates that are over', { notBefore: new Date(0), notAfter: new Date(1000) }],
  ['dates to come', { notBefore: new Date(clock.now() + 120_000) }],
  ['a serial number of zero', { serialNumber: Buffer.of(0) }],
  ['a serial number of 21 octets', { serialNumber: Buffer.alloc(21, 0x7f) }],
]

for (const [what, changed] of REFUSED) {
  test(`refuses its own output: ${what}`, () => assert.throws(() => sign(changed), { code: 'ERR_LINT' }))
}

test('refuses its own output: a signature that is not the authority’s', () => {
  assert.throws(() => sign({}, generateKeyPair().privateKey), { code: 'ERR_LINT' })
})
