import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeCertificatesPem, parseCertificatesPem } from './certificate.ts'
import { IdentityError } from './error.ts'
import { decodePem, encodePem } from './pem.ts'
import { createTestAuthority } from './testing.ts'

const authority = createTestAuthority('bank.test')

test('a chain is written and read back, text around it is passed over', () => {
  const chain = [authority.issueSvid('/a').chain[0]!, authority.certificate]
  const read = parseCertificatesPem(`Issuer: us\n${encodeCertificatesPem(chain).replaceAll('\n', '\r\n')}end\n`)
  assert.deepEqual(
    read.map(({ der: bytes }) => bytes),
    chain.map(({ der: bytes }) => bytes),
  )
})

const BAD_PEM = [
  ['nothing (RFC 7468 2)', ''],
  ['another kind of block', encodePem(Buffer.of(1), 'PRIVATE KEY')],
  ['a block without its end (RFC 7468 2)', '-----BEGIN CERTIFICATE-----\nAAAA\n'],
  ['an empty block (RFC 7468 3)', '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n'],
  ['characters that are not base64 (RFC 4648 3.3)', '-----BEGIN CERTIFICATE-----\nAA*A\n-----END CERTIFICATE-----\n'],
  ['base64 with stray bits (RFC 4648 3.5)', '-----BEGIN CERTIFICATE-----\nAB==\n-----END CERTIFICATE-----\n'],
  ['base64 without its padding (RFC 4648 3.2)', '-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n'],
  ['more than a mebibyte', ' '.repeat(1024 * 1024 + 1)],
] as const

for (const [what, pem] of BAD_PEM) {
  test(`refuses ${what}`, () => assert.throws(() => parseCertificatesPem(pem), { code: 'ERR_PEM' }))
}

test('arbitrary text gives certificates or an IdentityError', () => {
  fc.assert(
    fc.property(fc.string(), fc.base64String(), (text, base64) => {
      const pem = `${text}-----BEGIN CERTIFICATE-----\n${base64}${text}\n-----END CERTIFICATE-----`
      assert.throws(() => parseCertificatesPem(pem), IdentityError)
    }),
  )
})

test('whatever is written is read back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (bytes) => {
      assert.deepEqual(decodePem(encodePem(bytes, 'X'), 'X'), [Buffer.from(bytes)])
    }),
  )
})
