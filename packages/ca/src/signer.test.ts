import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  authorityKeyId,
  basicConstraints,
  createCertificate,
  encodeName,
  extendedKeyUsage,
  generateKeyPair,
  keyUsage,
  OID,
  parseSpiffeId,
  subjectAltName,
  subjectKeyId,
  toPublicKeyInfo,
  type CertificateTemplate,
  type Extension,
} from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { systemRandom } from '@picket/runtime'
import { FakeClock } from '@picket/runtime/testing'
import type { LoadedAuthority } from './authority-files.ts'
import { checkSvid } from './signer.ts'
import { createSvidTemplate } from './template.ts'

const clock = new FakeClock()
const authority = createTestAuthority('bank.test', { clock })
const id = parseSpiffeId('spiffe://bank.test/payments')
const publicKeyInfo = toPublicKeyInfo(generateKeyPair().publicKey)
const expected = {
  request: { id, publicKeyInfo, dnsNames: [] },
  notBefore: new Date(clock.now()),
  notAfter: new Date(clock.now() + 3_600_000),
}
const template = createSvidTemplate(expected, authority.certificate, systemRandom)
const loaded: LoadedAuthority = {
  slot: {
    kind: 'x509',
    keyId: authority.certificate.subjectKeyId!,
    algorithm: 'ec-p256',
    state: 'active',
    tainted: false,
    preparedAt: new Date(clock.now()),
    activatedAt: new Date(clock.now()),
    notBefore: authority.certificate.notBefore,
    notAfter: authority.certificate.notAfter,
    upstream: false,
  },
  certificate: authority.certificate,
  chain: [],
  roots: [authority.certificate],
  publicKey: authority.certificate.publicKey,
  privateKey: authority.keyPair.privateKey,
}

const sign = (changed: Partial<CertificateTemplate>, privateKey = authority.keyPair.privateKey): unknown =>
  checkSvid(createCertificate({ ...template, ...changed }, privateKey), loaded, expected)

const replaced = (extension: Extension): Partial<CertificateTemplate> => ({
  extensions: template.extensions.map((usual) => (usual.oid === extension.oid ? extension : usual)),
})
const without = (oid: string): Partial<CertificateTemplate> => ({
  extensions: template.extensions.filter((extension) => extension.oid !== oid),
})

test('a template by the profile is signed', () => assert.ok(sign({})))

const nobodyAskedFor = { oid: '1.2.3', critical: false, value: Buffer.of(5, 0) }

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
  ['another key', { publicKeyInfo: toPublicKeyInfo(generateKeyPair().publicKey).der }],
  ['a name too many', replaced(subjectAltName({ uris: [id.uri], dnsNames: ['a.test'] }, true))],
  ['more use of the key', replaced(keyUsage(['digitalSignature', 'keyAgreement']))],
  ['another purpose', replaced(extendedKeyUsage([OID.serverAuth, OID.clientAuth, '1.2.3']))],
  ['another subject key', replaced(subjectKeyId('00'.repeat(20)))],
  ['another authority key', replaced(authorityKeyId('00'.repeat(20)))],
  ['an end after the authority’s', { notAfter: new Date(clock.now() + 48 * 3_600_000) }],
  ['an extension that nobody asked for', { extensions: [...template.extensions, nobodyAskedFor] }],
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

test('refuses its own output: an end after the authority’s, though it was asked for', () => {
  const late = { ...expected, notAfter: new Date(clock.now() + 48 * 3_600_000) }
  const made = createSvidTemplate(late, authority.certificate, systemRandom)
  const der = createCertificate(made, authority.keyPair.privateKey)
  assert.throws(() => checkSvid(der, loaded, late), { code: 'ERR_LINT', message: /other dates/ })
})
