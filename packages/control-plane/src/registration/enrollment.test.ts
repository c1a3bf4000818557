import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { suite, test } from 'node:test'
import {
  createCsr,
  generateKeyPair,
  parseCsr,
  parseSpiffeId,
  parseTrustDomain,
  type Csr,
  type SpiffeId,
} from '@picket/identity'
import { systemRandom } from '@picket/runtime'
import { createRecordingLogger, FakeClock } from '@picket/runtime/testing'
import fc from 'fast-check'
import type { EvidenceDenial } from '../attestors/attestor.ts'
import { createJoinTokenAttestor } from '../attestors/join-token.ts'
import { createEnrollment, type Enrollment, type EnrollmentDenial, type EnrollmentService } from './enrollment.ts'
import { createEntries, type Entries } from './entries.ts'
import { createJoinTokens, type JoinTokens } from '../attestors/join-tokens.ts'
import type { Store } from '../store/store.ts'
import { openTestStore } from '../testing.ts'

const newCsr = (): Csr => parseCsr(createCsr(generateKeyPair()))
const someCsr = newCsr()
const trustDomain = parseTrustDomain('bank.test')
const TEN_MINUTES_MS = 600_000

interface Registry {
  readonly store: Store & { readonly path: string }
  readonly clock: FakeClock
  readonly log: readonly { fields: object }[]
  readonly entries: Entries
  readonly tokens: JoinTokens
  readonly enrollment: EnrollmentService
  readonly register: (name: string, ...selectors: string[]) => Promise<string>
  readonly token: (...selectors: string[]) => Promise<string>
  readonly present: (
    token: string,
    wanted?: SpiffeId,
    csr?: Csr,
  ) => Promise<Enrollment | EnrollmentDenial | EvidenceDenial>
  /** The SPIFFE ID, or the reason of the denial. */
  readonly enroll: (facts: string[], wanted?: string) => Promise<string>
}

async function inRegistry(body: (registry: Registry) => Promise<void>): Promise<void> {
  await using store = openTestStore()
  const [clock, logger, random] = [new FakeClock(), createRecordingLogger(), systemRandom]
  const entries = createEntries({ store, clock, random, logger }, trustDomain)
  const tokens = createJoinTokens({ store, clock, random, logger })
  const enrollment = createEnrollment({ store, trustDomain, clock, random })
  const registry: Registry = {
    store,
    clock,
    entries,
    tokens,
    enrollment,
    log: logger.entries,
    async register(name, ...selectors) {
      const draft = { selectors, ttlSeconds: 0, dnsNames: [], hint: '', federatesWith: [], service: '' }
      return (await entries.create({ ...draft, spiffeId: `spiffe://bank.test/${name}` }, 'operator')).id
    },
    token: async (...selectors) => (await tokens.create({ selectors, ttlSeconds: 0 }, 'operator')).token,
    async present(text, wanted, csr = someCsr) {
      const attested = await createJoinTokenAttestor(tokens).attest(text, csr)
      return attested.kind === 'denied' ? attested : enrollment.enroll(attested, wanted)
    },
    async enroll(facts, wanted) {
      const requested = wanted === undefined ? undefined : parseSpiffeId(`spiffe://bank.test/${wanted}`)
      const outcome = await registry.present(await registry.token(...facts), requested)
      return outcome.kind === 'enrolled' ? outcome.entry.spiffeId.path.slice(1) : outcome.reason
    },
  }
  await body(registry)
}

suite('a join token', () => {
  test('is good once, and once only when many come at one time', () =>
    inRegistry(async ({ token, register, present }) => {
      await register('payments', 'service:payments')
      const text = await token('service:payments')
      const csrs = Array.from({ length: 100 }, newCsr)
      const outcomes = await Promise.all(csrs.map((csr) => present(text, undefined, csr)))
      assert.equal(outcomes.filter(({ kind }) => kind === 'enrolled').length, 1)
      const reasons = new Set(outcomes.flatMap((outcome) => (outcome.kind === 'denied' ? [outcome.reason] : [])))
      assert.deepEqual(reasons, new Set(['token-used']))
    }))

  test('is answered again for the same key, so that a lost answer costs nothing', () =>
    inRegistry(async ({ token, register, present }) => {
      await register('payments', 'service:payments')
      const text = await token('service:payments')
      const outcomes = await Promise.all([present(text), present(text), present(text)])
      outcomes.push(await present(text))
      const ids = outcomes.map((outcome) => outcome.kind === 'enrolled' && outcome.attestation.id)
      assert.equal(new Set(ids).size, 1)
      assert.equal(typeof ids[0], 'string')
      const other = await present(text, undefined, newCsr())
      assert.equal(other.kind === 'denied' && other.reason, 'token-used')
    }))

  test('of a long life is answered again for ten minutes only', () =>
    inRegistry(async ({ clock, tokens, register, present }) => {
      await register('payments', 'service:payments')
      const { token: text } = await tokens.create({ selectors: ['service:payments'], ttlSeconds: 86_400 }, 'operator')
      assert.equal((await present(text)).kind, 'enrolled')
      await clock.advance(TEN_MINUTES_MS - 1)
      assert.equal((await present(text)).kind, 'enrolled')
      await clock.advance(1)
      const late = await present(text)
      assert.equal(late.kind === 'denied' && late.reason, 'token-used')
    }))

  test('is good for 600 s unless told otherwise', () =>
    inRegistry(async ({ clock, tokens, token }) => {
      const usual = await token('a:1')
      const { token: brief } = await tokens.create({ selectors: ['a:1'], ttlSeconds: 5 }, 'operator')
      await clock.advance(5000)
      assert.equal(await tokens.check(brief, 'key'), 'token-expired')
      await clock.advance(TEN_MINUTES_MS - 5001)
      assert.equal(typeof (await tokens.check(usual, 'key')), 'object')
      await clock.advance(1)
      assert.equal(await tokens.check(usual, 'key'), 'token-expired')
    }))

  test('is nowhere in the database or the log, only its hash', () =>
    inRegistry(async ({ store, token, log }) => {
      const text = await token('a:1')
      const secret = text.slice(-43)
      const stored = ['', '-wal'].map((suffix) => readFileSync(store.path + suffix))
      for (const form of [secret, Buffer.from(secret, 'base64url')]) {
        assert.ok(stored.every((bytes) => !bytes.includes(form)))
      }
      assert.ok(!JSON.stringify(log).includes(secret))
    }))

  test('is unknown when a single character differs, and looks the same from outside as a used or expired one', () =>
    inRegistry(async ({ clock, present, register, token }) => {
      await register('payments', 'service:payments')
      const used = await token('service:payments')
      await present(used, undefined, newCsr())
      const good = await token('service:payments')
      const wrong = good.slice(0, -2) + (good.at(-2) === 'A' ? 'B' : 'A') + good.at(-1)
      const denials = [await present(wrong), await present(used, undefined, newCsr())]
      await clock.advance(TEN_MINUTES_MS)
      denials.push(await present(good))
      const shown = denials.map((denial) => (denial.kind === 'denied' ? [denial.reason, denial.message] : []))
      assert.deepEqual(
        shown.map(([reason]) => reason),
        ['token-unknown', 'token-used', 'token-expired'],
      )
      assert.equal(new Set(shown.map(([, message]) => message)).size, 1)
    }))

  test('of any other form is refused as such', () =>
    inRegistry(async ({ tokens, token }) => {
      const good = await token('a:1')
      const forms = [
        '',
        'x',
        good.slice(1),
        `${good}x`,
        good.toUpperCase(),
        good.replace('_', '-'),
        'A'.repeat(100_000),
      ]
      for (const form of forms) await assert.rejects(tokens.check(form, 'key'), { code: 'ERR_TOKEN_INVALID' })
      await fc.assert(
        fc.asyncProperty(fc.string({ unit: 'binary' }), (text) =>
          assert.rejects(tokens.check(text, 'key'), { code: 'ERR_TOKEN_INVALID' }),
        ),
      )
    }))

  test('proves well-formed facts only, for a day at most', () =>
    inRegistry(async ({ tokens }) => {
      const code = 'ERR_TOKEN_INVALID'
      for (const selectors of [[], ['payments'], ['a:1', ':2']]) {
        await assert.rejects(tokens.create({ selectors, ttlSeconds: 0 }, 'operator'), { code })
      }
      await assert.rejects(tokens.create({ selectors: ['a:1'], ttlSeconds: 86_401 }, 'operator'), { code })
    }))
})

suite('enrollment', () => {
  test('takes the entry whose selectors are all proven, the most specific first', () =>
    inRegistry(async ({ register, enroll }) => {
      await register('any', 'zone:core')
      await register('payments', 'zone:core', 'service:payments')
      assert.equal(await enroll(['zone:core']), 'any')
      assert.equal(await enroll(['service:payments', 'zone:core', 'other:x']), 'payments')
      assert.equal(await enroll(['service:payments', 'zone:core'], 'any'), 'any')
    }))

  test('denies when nothing matches and when the wanted ID is not among them; of equals the oldest is the default', () =>
    inRegistry(async ({ register, enroll }) => {
      assert.equal(await enroll(['x:1']), 'no-entry')
      await register('a', 'x:1')
      await register('b', 'x:1')
      assert.equal(await enroll(['x:1']), 'a')
      assert.equal(await enroll(['x:1'], 'b'), 'b')
      assert.equal(await enroll(['x:1'], 'c'), 'requested-id')
    }))

  test('says for the record what was proved and what the nearest entries lack', () =>
    inRegistry(async ({ register, present, token }) => {
      await register('payments', 'service:payments', 'zone:core')
      await register('ledger', 'service:ledger')
      const denial = await present(await token('service:payments'))
      assert.equal(
        denial.kind === 'denied' && denial.detail,
        'proved: service:payments; spiffe://bank.test/payments lacks zone:core',
      )
    }))

  test('that is denied leaves the token good', () =>
    inRegistry(async ({ register, present, token }) => {
      const text = await token('x:1')
      assert.equal((await present(text)).kind, 'denied')
      await register('a', 'x:1')
      assert.equal((await present(text)).kind, 'enrolled')
    }))

  test('is confirmed for the SVID that it led to, while an entry matches what that sidecar has proved', () =>
    inRegistry(async ({ store, entries, enrollment, present, register, token }) => {
      const id = parseSpiffeId('spiffe://bank.test/payments')
      const entryId = await register('payments', 'service:payments')
      for (const [serialNumber, host] of [
        ['01', 'host:a'],
        ['02', 'host:b'],
      ] as const) {
        const enrolled = await present(await token('service:payments', host))
        assert.ok(enrolled.kind === 'enrolled')
        const times = { issuedAtMs: 1, notAfterMs: 2 }
        await store.recordSvid({ serialNumber, spiffeId: id.uri, attestationId: enrolled.attestation.id, ...times })
      }
      const confirm = async (serialNumber: string, who = id): Promise<string> => {
        const outcome = await enrollment.confirm(who, serialNumber)
        return outcome.kind === 'denied' ? outcome.reason : outcome.entry.id
      }
      assert.equal(await confirm('01'), entryId)
      assert.equal(await confirm('03'), 'unknown-svid')
      assert.equal(await confirm('01', parseSpiffeId('spiffe://bank.test/ledger')), 'unknown-svid')
      await entries.delete(entryId, 'operator')
      assert.equal(await confirm('01'), 'no-entry')
      const narrower = await register('payments', 'service:payments', 'host:b')
      assert.deepEqual([await confirm('01'), await confirm('02')], ['no-entry', narrower])
    }))
})
