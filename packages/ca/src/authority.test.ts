import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  createBundleSource,
  createCsr,
  EMPTY_NAME,
  generateKeyPair,
  lintX509Svid,
  parseCsr,
  parseSpiffeId,
  parseTrustBundle,
  parseTrustDomain,
  parseX509Svid,
  verifyX509Svid,
  type Certificate,
  type Csr,
} from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { systemRandom } from '@picket/runtime'
import { FakeClock } from '@picket/runtime/testing'
import type { Authority, AuthorityRecord, IssueSvidRequest } from './authority.ts'
import { CaError } from './error.ts'
import type { JournalRecord } from './journal.ts'
import { initAuthority, openAuthority } from './open-authority.ts'
import { inTestFolder as inFolder, testSealKey as sealKey } from './testing.ts'

const HOUR_MS = 3_600_000
const trustDomain = parseTrustDomain('bank.test')
const id = parseSpiffeId('spiffe://bank.test/payments')
const keyPair = generateKeyPair()
const csr = parseCsr(createCsr(keyPair, id))
const START = '2026-03-01T12:00:00.000Z'

interface Given {
  readonly authority: Authority
  readonly directory: string
  readonly clock: FakeClock
}

const withAuthority = (body: (given: Given) => Promise<void>, options: { ttlMs?: number } = {}): Promise<void> =>
  inFolder(async (folder) => {
    const clock = new FakeClock(START)
    const directory = join(folder, 'ca')
    await using authority = await initAuthority(
      directory,
      { trustDomain, sealKey, ...options },
      { clock, random: systemRandom },
    )
    await body({ authority, directory, clock })
  })

const activeOf = ({ authorities }: Authority, kind = 'x509'): AuthorityRecord =>
  authorities.value.find((record) => record.kind === kind && record.state === 'active')!
const certificateOf = (authority: Authority): Certificate => activeOf(authority).certificate!

const request = (changes: Partial<IssueSvidRequest> = {}): IssueSvidRequest => ({
  csr,
  id,
  ttlMs: HOUR_MS,
  caller: 'test',
  ...changes,
})

async function readJournal(directory: string): Promise<JournalRecord[]> {
  const text = await readFile(join(directory, 'issuance-journal.ndjson'), 'utf8')
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as JournalRecord)
}

test('issues an SVID by the profile, which every peer accepts', () =>
  withAuthority(async ({ authority, clock }) => {
    const chain = await authority.issue(request({ dnsNames: ['payments.bank.test'] }))
    assert.equal(chain.length, 1)
    const leaf = chain[0]!
    assert.deepEqual(lintX509Svid(leaf), [])
    assert.deepEqual(leaf.uriSans, [id.uri])
    assert.deepEqual(leaf.dnsSans, ['payments.bank.test'])
    assert.deepEqual(leaf.subject, EMPTY_NAME)
    assert.deepEqual(leaf.keyUsage, ['digitalSignature'])
    assert.equal(leaf.notBefore.toISOString(), '2026-03-01T11:59:30.000Z')
    assert.equal(leaf.notAfter.toISOString(), '2026-03-01T13:00:00.000Z')
    assert.match(leaf.serialNumber, /^[0-9a-f]{32}$/)
    assert.ok(leaf.publicKey.equals(keyPair.publicKey))
    assert.equal(parseX509Svid(chain, keyPair.privateKey).id.uri, id.uri)
    const verdict = verifyX509Svid(chain, createBundleSource([authority.bundle.value]), new Date(clock.now()))
    assert.equal(verdict.kind, 'verified')
  }))

for (const algorithm of ['ec-p256', 'ec-p384', 'ed25519'] as const) {
  test(`an authority of ${algorithm} issues for keys of every algorithm`, () =>
    inFolder(async (folder) => {
      const deps = { clock: new FakeClock(START), random: systemRandom }
      await using authority = await initAuthority(join(folder, 'ca'), { trustDomain, algorithm, sealKey }, deps)
      for (const key of ['ec-p256', 'ec-p384', 'ed25519'] as const) {
        const [leaf] = await authority.issue(request({ csr: parseCsr(createCsr(generateKeyPair(key), id)) }))
        assert.equal(leaf!.keyAlgorithm, key)
      }
    }))
}

test('the authority itself is an SVID of the trust domain, by the rules for signing certificates', () =>
  withAuthority(async ({ authority }) => {
    const certificate = certificateOf(authority)
    const bundle = authority.bundle.value
    assert.deepEqual(certificate.uriSans, ['spiffe://bank.test'])
    assert.equal(certificate.isCa, true)
    assert.deepEqual(certificate.keyUsage, ['keyCertSign', 'cRLSign'])
    assert.equal(certificate.subjectKeyId, certificate.publicKeyInfo.keyId)
    assert.deepEqual(certificate.issuer, certificate.subject)
    assert.ok(certificate.isSignedWith(certificate.publicKey))
    assert.equal(certificate.notAfter.toISOString(), '2026-03-31T12:00:00.000Z')
    assert.equal(bundle.trustDomain.name, 'bank.test')
    assert.deepEqual(bundle.x509Authorities, [certificate])
  }))

test('two authorities of one trust domain have neither name, serial number nor key identifier in common', () =>
  withAuthority(({ authority: first }) =>
    withAuthority(async ({ authority: second }) => {
      const [one, two] = [certificateOf(first), certificateOf(second)]
      assert.notDeepEqual(one.subject, two.subject)
      assert.notEqual(one.serialNumber, two.serialNumber)
      assert.notEqual(one.subjectKeyId, two.subjectKeyId)
    }),
  ))

test('an SVID never outlives its authority', () =>
  withAuthority(
    async ({ authority, clock }) => {
      await clock.advance(HOUR_MS)
      const [leaf] = await authority.issue(request({ ttlMs: 24 * HOUR_MS }))
      assert.deepEqual(leaf!.notAfter, certificateOf(authority).notAfter)
    },
    { ttlMs: 2 * HOUR_MS },
  ))

test('an authority that has expired issues nothing', () =>
  withAuthority(
    async ({ authority, clock, directory }) => {
      await clock.advance(2 * HOUR_MS)
      await assert.rejects(authority.issue(request()), { code: 'ERR_AUTHORITY_EXPIRED' })
      assert.deepEqual(await readJournal(directory), [])
    },
    { ttlMs: 2 * HOUR_MS },
  ))

const REFUSED: readonly (readonly [string, Partial<IssueSvidRequest>])[] = [
  ['an ID of another trust domain', { id: parseSpiffeId('spiffe://partner.test/payments') }],
  ['the trust domain’s own ID', { id: parseSpiffeId('spiffe://bank.test') }],
  ['no time to live', { ttlMs: 0 }],
  ['a negative time to live', { ttlMs: -1 }],
  ['less than a second', { ttlMs: 999 }],
  ['half a millisecond more', { ttlMs: 1000.5 }],
  ['no number as the time to live', { ttlMs: Number.NaN }],
  ['time without end', { ttlMs: Number.POSITIVE_INFINITY }],
  ['17 DNS names', { dnsNames: Array.from({ length: 17 }, (_, index) => `a${index}.test`) }],
  ['a wildcard', { dnsNames: ['*.bank.test'] }],
  ['an empty DNS name', { dnsNames: [''] }],
  ['a DNS name of upper case', { dnsNames: ['Bank.test'] }],
  ['a DNS name with a NUL', { dnsNames: ['bank.test\0.evil'] }],
  ['a DNS name with a line break', { dnsNames: ['bank.test\n'] }],
  ['a DNS name with an empty label', { dnsNames: ['bank..test'] }],
  ['a DNS name that ends with a dot', { dnsNames: ['bank.test.'] }],
  ['a DNS label of 64 letters', { dnsNames: ['a'.repeat(64)] }],
  ['a DNS name of 254 letters', { dnsNames: [`${'a.'.repeat(126)}aa`] }],
]

for (const [what, changes] of REFUSED) {
  test(`refuses to issue for ${what}, and journals nothing`, () =>
    withAuthority(async ({ authority, directory }) => {
      await assert.rejects(authority.issue(request(changes)), { code: 'ERR_ISSUE_REQUEST' })
      assert.deepEqual(await readJournal(directory), [])
    }))
}

test('refuses a request for the authority’s own key', () =>
  withAuthority(async ({ authority }) => {
    const own = { ...csr, publicKeyInfo: certificateOf(authority).publicKeyInfo } as Csr
    await assert.rejects(authority.issue(request({ csr: own })), { code: 'ERR_ISSUE_REQUEST' })
  }))

test('every certificate is in the journal before it leaves, in order of issue', () =>
  withAuthority(async ({ authority, directory, clock }) => {
    for (const caller of ['join token 7', 'spiffe://bank.test/payments']) {
      const [leaf] = await authority.issue(request({ caller }))
      assert.deepEqual((await readJournal(directory)).at(-1), {
        kind: 'x509',
        time: new Date(clock.now()).toISOString(),
        serialNumber: leaf!.serialNumber,
        spiffeId: id.uri,
        notAfter: leaf!.notAfter.toISOString(),
        caller,
        authorityKeyId: certificateOf(authority).subjectKeyId,
        fingerprintSha256: leaf!.fingerprintSha256,
      })
      await clock.advance(1000)
    }
    assert.equal((await readJournal(directory)).length, 2)
  }))

test('a caller’s name cannot put a line of its own into the journal', () =>
  withAuthority(async ({ authority, directory }) => {
    await authority.issue(request({ caller: 'x"}\n{"serialNumber":"00"}' }))
    const records = await readJournal(directory)
    assert.equal(records.length, 1)
    assert.equal(records[0]!.caller, 'x"}\n{"serialNumber":"00"}')
  }))

test('many at once: each gets its own certificate and its own record', () =>
  withAuthority(async ({ authority, directory }) => {
    const chains = await Promise.all(Array.from({ length: 50 }, () => authority.issue(request())))
    const serials = chains.map(([leaf]) => leaf!.serialNumber)
    assert.equal(new Set(serials).size, 50)
    assert.deepEqual(
      (await readJournal(directory)).map(({ serialNumber }) => serialNumber),
      serials,
    )
  }))

test('serial numbers come from the cryptographic source, 128 bits each, never with a zero in front', () =>
  inFolder(async (folder) => {
    const asked: number[] = []
    const random = { ...systemRandom, bytes: (count: number) => (asked.push(count), Buffer.alloc(count)) }
    const deps = { clock: new FakeClock(START), random }
    await using authority = await initAuthority(join(folder, 'ca'), { trustDomain, sealKey }, deps)
    const [leaf] = await authority.issue(request())
    assert.ok(asked.every((count) => count % 16 === 0))
    assert.equal(leaf!.serialNumber, `01${'00'.repeat(15)}`)
  }))

test('once closed, nothing is issued or changed any more', () =>
  inFolder(async (folder) => {
    const deps = { clock: new FakeClock(START), random: systemRandom }
    const authority = await initAuthority(join(folder, 'ca'), { trustDomain, sealKey }, deps)
    await authority[Symbol.asyncDispose]()
    await assert.rejects(authority.issue(request()), { code: 'ERR_JOURNAL' })
    await assert.rejects(authority.prepare('x509'), { code: 'ERR_AUTHORITY_STATE' })
  }))

test('issues the same after it was opened again, from the same key, appending to the same journal', () =>
  withAuthority(async ({ authority, directory, clock }) => {
    await authority.issue(request())
    await authority[Symbol.asyncDispose]()
    await using again = await openAuthority(directory, { sealKey }, { clock, random: systemRandom })
    assert.deepEqual(again.authorities.value, authority.authorities.value)
    assert.equal(again.bundle.value.sequence, authority.bundle.value.sequence)
    const chain = await again.issue(request())
    const verdict = verifyX509Svid(chain, createBundleSource([authority.bundle.value]), new Date(clock.now()))
    assert.equal(verdict.kind, 'verified')
    assert.equal((await readJournal(directory)).length, 2)
  }))

test('a folder belongs to one process at a time', () =>
  withAuthority(async ({ directory, clock }) => {
    await assert.rejects(openAuthority(directory, { sealKey }, { clock, random: systemRandom }), {
      code: 'ERR_AUTHORITY_IN_USE',
    })
  }))

test('the bundle on disk is the authority’s', () =>
  withAuthority(async ({ authority, directory }) => {
    const json = await readFile(join(directory, 'trust-bundle.json'), 'utf8')
    const { x509Authorities, sequence } = parseTrustBundle(json, trustDomain)
    assert.equal(x509Authorities[0]!.fingerprintSha256, certificateOf(authority).fingerprintSha256)
    assert.equal(sequence, authority.bundle.value.sequence)
  }))

for (const ttlMs of [0, -1, 0.5, Number.NaN, 9000 * 365 * 86_400_000]) {
  test(`an authority that would live ${ttlMs} ms is not made`, () =>
    inFolder(async (folder) => {
      const deps = { clock: new FakeClock(START), random: systemRandom }
      await assert.rejects(
        initAuthority(join(folder, 'ca'), { trustDomain, ttlMs, sealKey }, deps),
        (thrown) => thrown instanceof CaError && thrown.code === 'ERR_ISSUE_REQUEST',
      )
    }))
}

test('another trust domain’s SVIDs do not verify against the bundle', () =>
  withAuthority(async ({ authority, clock }) => {
    const { chain } = createTestAuthority('partner.test', { clock }).issueSvid('/payments')
    const verdict = verifyX509Svid(chain, createBundleSource([authority.bundle.value]), new Date(clock.now()))
    assert.equal(verdict.kind === 'refused' && verdict.code, 'no-bundle')
  }))
