import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { parseTrustDomain } from '@picket/identity'
import type { EntryDraft } from '@picket/rpc'
import { systemRandom } from '@picket/runtime'
import { createRecordingLogger, FakeClock } from '@picket/runtime/testing'
import fc from 'fast-check'
import { parseEntryDraft } from './entry-draft.ts'
import { createEntries, type Entries } from './entries.ts'
import { openTestStore } from '../testing.ts'

const trustDomain = parseTrustDomain('bank.test')

const DRAFT: EntryDraft = {
  spiffeId: 'spiffe://bank.test/payments',
  selectors: ['service:payments'],
  ttlSeconds: 0,
  dnsNames: [],
  hint: '',
  federatesWith: [],
  service: '',
}

async function inRegistry(
  body: (entries: Entries, log: readonly { message: string }[]) => Promise<void>,
): Promise<void> {
  await using store = openTestStore()
  const logger = createRecordingLogger()
  await body(
    createEntries({ store, clock: new FakeClock(), random: systemRandom, logger }, trustDomain),
    logger.entries,
  )
}

suite('registration entries', () => {
  test('are given an id, and the last path segment as the service name', () =>
    inRegistry(async (entries) => {
      const entry = await entries.create({ ...DRAFT, spiffeId: 'spiffe://bank.test/core/ledger' }, 'operator')
      assert.equal(entry.service, 'ledger')
      assert.deepEqual((await entries.list({ pageSize: 0, pageToken: '' })).entries, [entry])
    }))

  const refused: [string, Partial<EntryDraft>, RegExp][] = [
    ['no SPIFFE ID', { spiffeId: '' }, /^spiffe_id: /],
    ['a bare name', { spiffeId: 'payments' }, /^spiffe_id: /],
    ['another scheme', { spiffeId: 'https://bank.test/payments' }, /^spiffe_id: /],
    ['an upper-case scheme', { spiffeId: 'SPIFFE://bank.test/payments' }, /^spiffe_id: /],
    ['an upper-case trust domain', { spiffeId: 'spiffe://Bank.test/payments' }, /^spiffe_id: /],
    ['a port', { spiffeId: 'spiffe://bank.test:443/payments' }, /^spiffe_id: /],
    ['a user', { spiffeId: 'spiffe://me@bank.test/payments' }, /^spiffe_id: /],
    ['a query', { spiffeId: 'spiffe://bank.test/payments?x' }, /^spiffe_id: /],
    ['a fragment', { spiffeId: 'spiffe://bank.test/payments#x' }, /^spiffe_id: /],
    ['a trailing slash', { spiffeId: 'spiffe://bank.test/payments/' }, /^spiffe_id: /],
    ['an empty segment', { spiffeId: 'spiffe://bank.test//payments' }, /^spiffe_id: /],
    ['a dot segment', { spiffeId: 'spiffe://bank.test/../picket/operator' }, /^spiffe_id: /],
    ['percent-encoding', { spiffeId: 'spiffe://bank.test/%70icket/operator' }, /^spiffe_id: /],
    ['another trust domain', { spiffeId: 'spiffe://other.test/payments' }, /not in the trust domain bank\.test/],
    ['no path', { spiffeId: 'spiffe://bank.test' }, /no path/],
    ['a reserved path', { spiffeId: 'spiffe://bank.test/picket/operator' }, /keeps for itself/],
    ['the reserved folder', { spiffeId: 'spiffe://bank.test/picket' }, /keeps for itself/],
    ['over 2048 bytes', { spiffeId: `spiffe://bank.test/${'a'.repeat(2048)}` }, /^spiffe_id: /],
    ['no selector', { selectors: [] }, /^selectors: /],
    ['too many selectors', { selectors: Array.from({ length: 33 }, (_, index) => `n:${index}`) }, /^selectors: more/],
    ['a selector without a type', { selectors: ['a:1', 'payments'] }, /^selectors\[1\]: /],
    ['a selector without a value', { selectors: ['service:'] }, /^selectors\[0\]: /],
    ['a selector with a space', { selectors: ['service:a b'] }, /^selectors\[0\]: /],
    ['a selector of an upper-case type', { selectors: ['Service:a'] }, /^selectors\[0\]: /],
    ['too short a TTL', { ttlSeconds: 4 }, /^ttl_seconds: /],
    ['too long a TTL', { ttlSeconds: 86_401 }, /^ttl_seconds: /],
    ['an upper-case DNS name', { dnsNames: ['ok.test', 'Payments.test'] }, /^dns_names\[1\]: /],
    ['a wildcard', { dnsNames: ['*.bank.test'] }, /^dns_names\[0\]: /],
    ['a trailing dot', { dnsNames: ['bank.test.'] }, /^dns_names\[0\]: /],
    [
      'too many DNS names',
      { dnsNames: Array.from({ length: 17 }, (_, index) => `n${index}.test`) },
      /^dns_names: more/,
    ],
    ['a service name with a dot', { service: 'a.b' }, /^service: /],
    ['a last segment that is no service name', { spiffeId: 'spiffe://bank.test/Pay' }, /^service: .*so give one/],
  ]
  for (const [what, change, message] of refused) {
    test(`are refused with ${what}`, () =>
      inRegistry(async (entries) => {
        const code = 'ERR_ENTRY_INVALID'
        await assert.rejects(entries.create({ ...DRAFT, ...change }, 'operator'), { code, message })
        assert.deepEqual((await entries.list({ pageSize: 0, pageToken: '' })).entries, [])
      }))
  }

  test('are refused with all their problems at once', () => {
    const draft = { ...DRAFT, spiffeId: 'payments', selectors: ['x'], ttlSeconds: 1, dnsNames: ['*'] }
    assert.throws(
      () => parseEntryDraft(draft, trustDomain),
      ({ message }: Error) => message.split('\n').length === 4,
    )
  })

  test('never come out of anything else: any draft is canonical or refused', () => {
    const text = fc.oneof(
      fc.string(),
      fc.constantFrom('spiffe://bank.test/a', 'spiffe://bank.test/picket/x', 'a:1', 'a'),
    )
    const draft = fc.record({
      spiffeId: text,
      selectors: fc.array(text, { maxLength: 3 }),
      ttlSeconds: fc.nat(),
      dnsNames: fc.array(text, { maxLength: 3 }),
      service: text,
      hint: text,
      federatesWith: fc.array(text, { maxLength: 3 }),
    })
    fc.assert(
      fc.property(draft, (given) => {
        try {
          const parsed = parseEntryDraft(given, trustDomain)
          assert.match(parsed.spiffeId.text, /^spiffe:\/\/bank\.test\/(?!picket(\/|$))./)
          assert.ok(parsed.selectors.length > 0)
        } catch (thrown) {
          assert.equal((thrown as { code?: string }).code, 'ERR_ENTRY_INVALID')
        }
      }),
    )
  })

  test('are refused twice for the same ID and selectors, in any order', () =>
    inRegistry(async (entries) => {
      await entries.create({ ...DRAFT, selectors: ['a:1', 'b:2'] }, 'operator')
      const again = entries.create({ ...DRAFT, selectors: ['b:2', 'a:1', 'a:1'] }, 'operator')
      await assert.rejects(again, { code: 'ERR_ENTRY_DUPLICATE' })
    }))

  test('give one service to one SPIFFE ID and one SPIFFE ID to one service', () =>
    inRegistry(async (entries) => {
      await entries.create(DRAFT, 'operator')
      const other = { ...DRAFT, selectors: ['x:1'] }
      const thief = entries.create({ ...other, spiffeId: 'spiffe://bank.test/thief', service: 'payments' }, 'operator')
      await assert.rejects(thief, { code: 'ERR_ENTRY_DUPLICATE' })
      await assert.rejects(entries.create({ ...other, service: 'second-name' }, 'operator'), {
        code: 'ERR_ENTRY_DUPLICATE',
      })
      await entries.create(other, 'operator')
    }))

  test('are listed in pages without a gap or a repeat, also when some are deleted meanwhile', () =>
    inRegistry(async (entries) => {
      const created: string[] = []
      for (let index = 0; index < 7; index++) {
        created.push((await entries.create({ ...DRAFT, selectors: [`n:${index}`] }, 'operator')).id)
      }
      const seen: string[] = []
      let pageToken = ''
      do {
        const page = await entries.list({ pageSize: 3, pageToken })
        seen.push(...page.entries.map(({ id }) => id))
        pageToken = page.nextPageToken
        if (seen.length === 3) await entries.delete(created[0]!, 'operator')
      } while (pageToken !== '')
      assert.deepEqual(seen, created)
    }))

  for (const pageToken of ['0', '-1', 'x', '1.5', '9'.repeat(30), "1' OR '1'='1"]) {
    test(`have no page at ${pageToken}`, () =>
      inRegistry((entries) => assert.rejects(entries.list({ pageSize: 1, pageToken }), { code: 'ERR_PAGE' })))
  }

  test('leave a record of who made and who deleted them', () =>
    inRegistry(async (entries, log) => {
      const { id } = await entries.create(DRAFT, 'alice')
      await entries.delete(id, 'bob')
      await assert.rejects(entries.delete(id, 'bob'), { code: 'ERR_ENTRY_MISSING' })
      assert.deepEqual(
        log.map(({ message }) => message),
        ['entry created', 'entry deleted'],
      )
    }))
})
