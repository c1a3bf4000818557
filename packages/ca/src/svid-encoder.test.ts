import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  createCertificate,
  generateKeyPair,
  KEY_ALGORITHMS,
  parseCertificate,
  parseSpiffeId,
  parseTrustDomain,
  toPublicKeyInfo,
} from '@picket/identity'
import { systemRandom } from '@picket/runtime'
import { FakeClock } from '@picket/runtime/testing'
import { makeAuthority } from './authority-making.ts'
import { createSampleSvid } from './sample-svid.ts'
import type { ExpectedSvid } from './signer.ts'
import { createSvidEncoder } from './svid-encoder.ts'
import { createSvidTemplate } from './template.ts'

const DAY_MS = 86_400_000
const trustDomain = parseTrustDomain('bank.test')
const deps = { clock: new FakeClock(), random: systemRandom }
const keys = KEY_ALGORITHMS.map((algorithm) => toPublicKeyInfo(generateKeyPair(algorithm).publicKey))
const label = fc.stringMatching(/^[a-z0-9]{1,63}$/)

const svidArbitrary = fc
  .record({
    path: fc.array(fc.stringMatching(/^[a-zA-Z0-9_-]{1,40}$/), { minLength: 1, maxLength: 12 }),
    publicKeyInfo: fc.constantFrom(...keys),
    dnsNames: fc.array(
      fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join('.')),
      { maxLength: 16 },
    ),
    notBefore: fc.date({ min: new Date('2000-01-01'), max: new Date('2049-12-31'), noInvalidDate: true }),
    notAfter: fc.date({ min: new Date('2050-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }),
  })
  .map(({ path, notBefore, notAfter, ...request }): ExpectedSvid => ({
    request: { ...request, id: parseSpiffeId(`spiffe://bank.test/${path.join('/')}`) },
    notBefore,
    notAfter,
  }))

/** The part that is signed: its header says how long it is. */
const signedPart = (der: Buffer): string =>
  parseCertificate(der)
    .der.subarray(4, 8 + der.readUInt16BE(6))
    .toString('hex')

test('gives the very bytes that the plain encoder gives', async () => {
  const plan = { trustDomain, kind: 'x509', algorithm: 'ed25519', ttlMs: DAY_MS } as const
  const authority = await makeAuthority(plan, deps)
  const encoder = createSvidEncoder(authority.privateKey!, createSampleSvid(authority, systemRandom))
  fc.assert(
    fc.property(
      svidArbitrary,
      fc.uint8Array({ minLength: 15, maxLength: 15 }),
      fc.integer({ min: 1, max: 255 }),
      (svid, rest, first) => {
        const serialNumber = Buffer.of(first, ...rest)
        const random = { ...systemRandom, bytes: () => Buffer.from(serialNumber) }
        const plain = createCertificate(createSvidTemplate(svid, authority.certificate!, random), authority.privateKey!)
        assert.deepEqual(encoder.encode(serialNumber, svid), plain)
      },
    ),
    { numRuns: 200 },
  )
})

for (const algorithm of KEY_ALGORITHMS) {
  test(`an authority of ${algorithm} too: what is signed is the same, and the signature verifies`, async () => {
    const authority = await makeAuthority({ trustDomain, kind: 'x509', algorithm, ttlMs: DAY_MS }, deps)
    const sample = createSampleSvid(authority, systemRandom)
    const der = createSvidEncoder(authority.privateKey!, sample).encode(
      Buffer.from(sample.template.serialNumber),
      sample.expected,
    )
    assert.equal(signedPart(der), signedPart(sample.der))
    assert.ok(parseCertificate(der).isSignedWith(authority.publicKey))
  })
}

test('does not begin to work when the two encoders do not agree', async () => {
  const authority = await makeAuthority({ trustDomain, kind: 'x509', algorithm: 'ec-p256', ttlMs: DAY_MS }, deps)
  const sample = createSampleSvid(authority, systemRandom)
  const another = { ...sample, expected: { ...sample.expected, notAfter: new Date('2051-01-01') } }
  assert.throws(() => createSvidEncoder(authority.privateKey!, another), { code: 'ERR_LINT' })
})
