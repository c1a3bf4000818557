import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  createBundleSource,
  isJwtKeyAlgorithm,
  KEY_ALGORITHMS,
  parseSpiffeId,
  parseTrustBundle,
  verifyJwtSvid,
  type KeyAlgorithm,
} from '@picket/identity'
import { systemRandom } from '@picket/runtime'
import { FakeClock } from '@picket/runtime/testing'
import type { Authority, IssueJwtRequest } from './authority.ts'
import { makeAuthority } from './authority-making.ts'
import { signJwtSvid } from './jwt-issuer.ts'
import { initAuthority, openAuthority } from './open-authority.ts'
import { inTestFolder, testSealKey as sealKey } from './testing.ts'

const HOUR_MS = 3_600_000
const id = parseSpiffeId('spiffe://bank.test/payments')
const START = '2026-03-01T12:00:00.400Z'

interface Given {
  readonly authority: Authority
  readonly directory: string
  readonly clock: FakeClock
}

const withAuthority = (
  body: (given: Given) => Promise<void>,
  options: { ttlMs?: number; jwtAlgorithm?: KeyAlgorithm } = {},
): Promise<void> =>
  inTestFolder(async (folder) => {
    const clock = new FakeClock(START)
    const directory = join(folder, 'ca')
    const all = { trustDomain: id.trustDomain, sealKey, ...options }
    await using authority = await initAuthority(directory, all, { clock, random: systemRandom })
    await body({ authority, directory, clock })
  })

const request = (changes: Partial<IssueJwtRequest> = {}): IssueJwtRequest => ({
  id,
  audience: ['ledger'],
  ttlMs: 300_000,
  caller: 'spiffe://bank.test/payments',
  ...changes,
})
const bundlesOf = ({ bundle }: Authority) => createBundleSource([bundle.value])

for (const jwtAlgorithm of KEY_ALGORITHMS.filter(isJwtKeyAlgorithm)) {
  test(`a token by an authority of ${jwtAlgorithm} is accepted by whoever has the bundle`, () =>
    withAuthority(
      async ({ authority, directory, clock }) => {
        const { token, keyId, issuedAt, expiresAt } = await authority.issueJwt(
          request({ audience: ['ledger', 'audit'] }),
        )
        assert.deepEqual([issuedAt, expiresAt].map(String), [
          String(new Date('2026-03-01T12:00:00Z')),
          String(new Date('2026-03-01T12:05:00Z')),
        ])
        const published = parseTrustBundle(await readFile(join(directory, 'trust-bundle.json'), 'utf8'), id.trustDomain)
        const verdict = verifyJwtSvid(token, createBundleSource([published]), 'audit', new Date(clock.now()))
        assert.ok(verdict.kind === 'verified', JSON.stringify(verdict))
        assert.deepEqual([verdict.id.uri, verdict.audience, verdict.keyId], [id.uri, ['ledger', 'audit'], keyId])
        assert.equal(verdict.claims['iss'], undefined)
      },
      { jwtAlgorithm },
    ))
}

for (const jwtAlgorithm of ['ed25519', 'ml-dsa-44', 'ml-dsa-65'] as const) {
  test(`no JWT authority of ${jwtAlgorithm}`, () =>
    assert.rejects(
      withAuthority(() => Promise.resolve(), { jwtAlgorithm }),
      { code: 'ERR_ISSUE_REQUEST' },
    ))
}

test('an issuer is named when asked for', () =>
  withAuthority(async ({ authority, clock }) => {
    const { token } = await authority.issueJwt(request({ issuer: 'https://oidc.bank.test' }))
    const verdict = verifyJwtSvid(token, bundlesOf(authority), 'ledger', new Date(clock.now()))
    assert.ok(verdict.kind === 'verified' && verdict.claims['iss'] === 'https://oidc.bank.test')
  }))

test('only the active key signs; the next one is in the bundle before it does', () =>
  withAuthority(async ({ authority, clock }) => {
    const before = (await authority.issueJwt(request())).keyId
    const { keyId: prepared } = await authority.prepare('jwt')
    assert.deepEqual(
      authority.bundle.value.jwtAuthorities.map(({ keyId }) => keyId),
      [before, prepared],
    )
    const old = await authority.issueJwt(request())
    assert.equal(old.keyId, before)
    await authority.activate('jwt', prepared)
    assert.equal((await authority.issueJwt(request())).keyId, prepared)
    assert.equal(verifyJwtSvid(old.token, bundlesOf(authority), 'ledger', new Date(clock.now())).kind, 'verified')
    await authority.taint('jwt', before)
    await authority.revoke('jwt', before)
    const verdict = verifyJwtSvid(old.token, bundlesOf(authority), 'ledger', new Date(clock.now()))
    assert.equal(verdict.kind === 'refused' && verdict.code, 'unknown-key')
  }))

test('a token ends with its authority at the latest, and after an hour', () =>
  withAuthority(
    async ({ authority, clock }) => {
      const long = await authority.issueJwt(request({ ttlMs: 24 * HOUR_MS }))
      assert.equal(long.expiresAt.toISOString(), '2026-03-01T13:00:00.000Z')
      await clock.advance(1.5 * HOUR_MS)
      const last = await authority.issueJwt(request({ ttlMs: HOUR_MS }))
      assert.equal(last.expiresAt.toISOString(), '2026-03-01T14:00:00.000Z')
      await clock.advance(HOUR_MS / 2)
      await assert.rejects(authority.issueJwt(request()), { code: 'ERR_AUTHORITY_EXPIRED' })
    },
    { ttlMs: 2 * HOUR_MS },
  ))

test('a token whose key the bundle does not hold does not leave', () =>
  withAuthority(async ({ authority: { bundle, trustDomain }, clock }) => {
    const plan = { trustDomain, kind: 'jwt', algorithm: 'ec-p256', ttlMs: HOUR_MS } as const
    const unpublished = await makeAuthority(plan, { clock, random: systemRandom })
    assert.throws(() => signJwtSvid(request(), unpublished, bundle.value, clock.now()), { code: 'ERR_LINT' })
  }))

const REFUSED: readonly (readonly [string, Partial<IssueJwtRequest>])[] = [
  ['an ID of another trust domain', { id: parseSpiffeId('spiffe://partner.test/payments') }],
  ['the trust domain’s own ID', { id: parseSpiffeId('spiffe://bank.test') }],
  ['no audience', { audience: [] }],
  ['an empty audience', { audience: [''] }],
  ['17 audiences', { audience: Array.from({ length: 17 }, (_, index) => `a${index}`) }],
  ['an audience of 1025 characters', { audience: ['a'.repeat(1025)] }],
  ['an audience with a line break', { audience: ['a\nb'] }],
  ['an audience of half a character', { audience: ['\ud800'] }],
  ['an empty issuer', { issuer: '' }],
  ['less than a second', { ttlMs: 999 }],
  ['time without end', { ttlMs: Number.POSITIVE_INFINITY }],
]

for (const [what, changes] of REFUSED) {
  test(`refuses a token for ${what}, and journals nothing`, () =>
    withAuthority(async ({ authority, directory }) => {
      await assert.rejects(authority.issueJwt(request(changes)), { code: 'ERR_ISSUE_REQUEST' })
      assert.equal(await readFile(join(directory, 'issuance-journal.ndjson'), 'utf8'), '')
    }))
}

test('every token is in the journal before it leaves, by its fingerprint', () =>
  withAuthority(async ({ authority, directory, clock }) => {
    const asked = request({ entryId: 'e7', entryRevision: '42' })
    const { token, keyId, expiresAt } = await authority.issueJwt(asked)
    const text = await readFile(join(directory, 'issuance-journal.ndjson'), 'utf8')
    assert.deepEqual(JSON.parse(text), {
      kind: 'jwt',
      time: new Date(clock.now()).toISOString(),
      spiffeId: id.uri,
      audience: ['ledger'],
      notAfter: expiresAt.toISOString(),
      caller: asked.caller,
      entryId: 'e7',
      entryRevision: '42',
      authorityKeyId: keyId,
      fingerprintSha256: hash('sha256', token, 'hex'),
    })
    assert.equal(text.includes(token), false)
  }))

test('the keys are the same after a restart', () =>
  withAuthority(async ({ authority, directory, clock }) => {
    const { token } = await authority.issueJwt(request())
    await authority.prepare('jwt', { algorithm: 'ec-p384' })
    await authority.activate('jwt')
    await authority[Symbol.asyncDispose]()
    await using again = await openAuthority(directory, { sealKey }, { clock, random: systemRandom })
    assert.deepEqual(again.authorities.value, authority.authorities.value)
    for (const each of [token, (await again.issueJwt(request())).token]) {
      assert.equal(verifyJwtSvid(each, bundlesOf(again), 'ledger', new Date(clock.now())).kind, 'verified')
    }
  }))
