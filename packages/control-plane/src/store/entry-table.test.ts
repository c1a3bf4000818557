import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, suite, test } from 'node:test'
import type { EntryChange } from '@picket/rpc'
import { systemRandom } from '@picket/runtime'
import { createRecordingLogger, FakeClock } from '@picket/runtime/testing'
import fc from 'fast-check'
import type { Attestation, AttestationStore } from '../attestors/attestation.ts'
import { createEntries, type Entries, type EntryStore } from '../registration/entries.ts'
import type { StoredEntry } from '../registration/registration-entry.ts'
import { TRUST_DOMAIN } from '../testing.ts'
import { openDatabase } from './database.ts'
import { createEnrollmentTables } from './enrollment-tables.ts'
import { createEntryTable } from './entry-table.ts'
import { MIGRATIONS } from './migrations.ts'

let folder: string
let database: DatabaseSync
let store: EntryStore
let entries: Entries

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'picket-entries-'))
  database = openDatabase(join(folder, 'picket.db'), 1)
  store = createEntryTable(database)
  const logger = createRecordingLogger()
  entries = createEntries({ store, clock: new FakeClock(), random: systemRandom, logger }, TRUST_DOMAIN)
})
afterEach(() => {
  database.close()
  rmSync(folder, { recursive: true })
})

const draftOf = (name: string, change: object = {}): Extract<EntryChange, { kind: 'create' }>['draft'] => ({
  spiffeId: `spiffe://bank.test/${name}`,
  selectors: [`service:${name}`],
  ttlSeconds: 0,
  dnsNames: [],
  service: '',
  hint: '',
  federatesWith: [],
  ...change,
})
const create = (name: string, change: object = {}): EntryChange => ({ kind: 'create', draft: draftOf(name, change) })
const apply = (changes: readonly EntryChange[], expectedRevision = 0): ReturnType<Entries['apply']> =>
  entries.apply({ changes, expectedRevision }, 'operator')
const names = async (): Promise<readonly string[]> =>
  (await store.listEntries(100, 0)).map(({ entry }) => entry.spiffeId.text.slice('spiffe://bank.test/'.length))
const idOf = async (name: string): Promise<string> =>
  (await store.listEntries(100, 0)).find(({ entry }) => entry.spiffeId.text.endsWith(`/${name}`))!.entry.id

suite('a set of changes', () => {
  test('is applied as one, and the revision grows by one', async () => {
    const before = await store.entriesRevision()
    assert.deepEqual(await apply([create('a'), create('b'), create('c')]), {
      created: 3,
      updated: 0,
      deleted: 0,
      revision: before + 1,
    })
    const [a, b] = [await idOf('a'), await idOf('b')]
    const changed = await apply(
      [
        { kind: 'delete', id: a },
        { kind: 'update', id: b, draft: draftOf('b', { hint: 'x' }) },
      ],
      before + 1,
    )
    assert.deepEqual([changed.updated, changed.deleted, changed.revision], [1, 1, before + 2])
    const kept = (await store.listEntries(9, 0)).map(({ entry }) => [entry.hint, entry.revision])
    assert.deepEqual(kept, [
      ['x', before + 2],
      ['', before + 1],
    ])
    assert.deepEqual(await apply([]), { created: 0, updated: 0, deleted: 0, revision: before + 2 })
  })

  test('planned on another revision changes nothing', async () => {
    const { revision } = await apply([create('a')])
    await assert.rejects(apply([create('b')], revision - 1), { code: 'ERR_ENTRIES_CHANGED' })
    await assert.rejects(apply([create('b')], revision + 1), { code: 'ERR_ENTRIES_CHANGED' })
    assert.deepEqual([await names(), await store.entriesRevision()], [['a'], revision])
  })

  test('may exchange SPIFFE IDs, selectors and names among its entries', async () => {
    await apply([create('a'), create('b')])
    const [a, b] = [await idOf('a'), await idOf('b')]
    await apply([
      { kind: 'update', id: a, draft: draftOf('b') },
      { kind: 'update', id: b, draft: draftOf('a') },
    ])
    assert.deepEqual(await names(), ['b', 'a'])
    assert.deepEqual(
      (await store.matchEntries(['service:a'])).map(({ id }) => id),
      [b],
    )
  })

  const refused: [string, () => Promise<readonly EntryChange[]>, string][] = [
    ['a twin of an entry', async () => [create('new'), create('a')], 'ERR_ENTRY_DUPLICATE'],
    ['the name of another service', async () => [create('new', { service: 'a' })], 'ERR_ENTRY_DUPLICATE'],
    [
      'two entries of one name',
      async () => [create('x', { service: 's' }), create('y', { service: 's' })],
      'ERR_ENTRY_DUPLICATE',
    ],
    ['an entry that is not there', async () => [create('new'), { kind: 'delete', id: 'gone' }], 'ERR_ENTRY_MISSING'],
    ['an update of nothing', async () => [{ kind: 'update', id: 'gone', draft: draftOf('x') }], 'ERR_ENTRY_MISSING'],
    [
      'an entry twice',
      async () => [
        { kind: 'delete', id: await idOf('a') },
        { kind: 'delete', id: await idOf('a') },
      ],
      'ERR_ENTRY_INVALID',
    ],
    ['an entry of no form', async () => [create('new'), create('x', { selectors: [] })], 'ERR_ENTRY_INVALID'],
  ]
  for (const [what, changes, code] of refused) {
    test(`with ${what} is refused whole`, async () => {
      const { revision } = await apply([create('a'), create('b')])
      await assert.rejects(apply(await changes()), { code })
      assert.deepEqual([await names(), await store.entriesRevision()], [['a', 'b'], revision])
      assert.equal((await store.matchEntries(['service:new'])).length, 0)
    })
  }

  test('says of each problem in which change it is', async () => {
    const changes = [create('ok'), create('x', { selectors: ['y'] }), create('z', { ttlSeconds: 1 })]
    const message = /^changes\[1\]\.selectors\[0\]: .*\nchanges\[2\]\.ttl_seconds: /
    await assert.rejects(apply(changes), { code: 'ERR_ENTRY_INVALID', message })
  })

  test('that the disk has no room for leaves everything as it was, and says so', async () => {
    await apply([create('a')])
    const { page_count: pages } = database.prepare('PRAGMA page_count').get() as { page_count: number }
    database.exec(`PRAGMA max_page_count = ${pages + 2}`)
    const many = Array.from({ length: 2000 }, (_, n) => create(`n${n}`))
    await assert.rejects(apply(many), { code: 'ERR_DATABASE_WRITE', retryable: true, message: /disk is full/ })
    assert.deepEqual(await names(), ['a'])
    database.exec('PRAGMA max_page_count = 1000000')
    assert.equal((await apply(many)).created, 2000)
  })

  test('that the database refuses to take changes nothing', async () => {
    database.exec('PRAGMA query_only = ON')
    await assert.rejects(apply([create('a')]), { code: 'ERR_DATABASE_WRITE' })
    database.exec('PRAGMA query_only = OFF')
    assert.deepEqual(await names(), [])
  })
})

test('facts find what a look at every entry would find, also after changes', async () => {
  const selector = fc.constantFrom<string>('a:1', 'a:2', 'b:1', 'b:2', 'c:1', 'unix:uid:0', 'zone:core')
  const selectors = fc
    .uniqueArray(selector, { minLength: 1, maxLength: 4 })
    .filter((all) => all.some((s) => s < 'unix' || s > 'v'))
  const sets = fc.array(selectors, { maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(
      sets,
      sets,
      fc.array(fc.uniqueArray(selector), { maxLength: 5 }),
      async (first, changed, asked) => {
        const before = (await store.listEntries(100, 0)).map(({ entry }): EntryChange => ({
          kind: 'delete',
          id: entry.id,
        }))
        await apply(before)
        await apply(first.map((given, n) => create(`n${n}`, { selectors: given })))
        const present = (await store.listEntries(100, 0)).map(({ entry }) => entry)
        const updates = changed.slice(0, present.length).map((given, n): EntryChange => {
          return { kind: 'update', id: present[n]!.id, draft: draftOf(`n${n}`, { selectors: given }) }
        })
        await apply(updates)
        const all = (await store.listEntries(100, 0)).map(({ entry }) => entry)
        const lacks = (entry: StoredEntry, facts: readonly string[]): number =>
          entry.selectors.filter((one) => !one.startsWith('unix:') && !facts.includes(one)).length
        for (const facts of asked) {
          const matching = all.filter((entry) => lacks(entry, facts) === 0)
          assert.deepEqual(await store.matchEntries(facts), matching)
          const near = await store.nearEntries(facts, 100)
          const sharing = all.filter(
            (entry) =>
              lacks(entry, facts) > 0 && entry.selectors.some((s) => !s.startsWith('unix:') && facts.includes(s)),
          )
          assert.deepEqual(new Set(near.map(({ id }) => id)), new Set(sharing.map(({ id }) => id)))
          const lacking = near.map((entry) => lacks(entry, facts))
          assert.deepEqual(
            lacking,
            lacking.toSorted((a, b) => a - b),
          )
        }
      },
    ),
    { numRuns: 50 },
  )
})

test('entries of a database from before templates match as they did, and are changed as others are', async () => {
  const path = join(folder, 'before.db')
  const old = openDatabase(path, 1, MIGRATIONS.slice(0, 1))
  old.exec(`
    INSERT INTO entries (id, spiffe_id, selectors, ttl_seconds, dns_names, service, created_at_ms, created_by)
      VALUES ('one', 'spiffe://bank.test/a', '["a:1","b:2"]', 60, '[]', 'a', 5, 'operator');
    INSERT INTO entry_selectors VALUES ('a:1', 1), ('b:2', 1);
    INSERT INTO attestations VALUES ('x', '["a:1","b:2"]', 5);
    INSERT INTO svids (serial_number, spiffe_id, attestation, issued_at_ms, not_after_ms)
      VALUES ('01', 'spiffe://bank.test/a', 'x', 5, 6)`)
  old.close()
  const opened = openDatabase(path, 2)
  const table = createEntryTable(opened)
  assert.equal((await table.matchEntries(['a:1'])).length, 0)
  const [entry] = await table.matchEntries(['a:1', 'b:2'])
  assert.deepEqual([entry!.hint, entry!.federatesWith, entry!.updatedAtMs, entry!.revision], ['', [], 5, 1])
  assert.equal(
    (await createEnrollmentTables(opened).findAttestation('01', 'spiffe://bank.test/a'))?.evidence,
    'join-token',
  )
  const by = { name: 'operator', atMs: 9, expectedRevision: 1 }
  const { revision } = await table.writeEntries([{ kind: 'delete', id: 'one' }], by)
  assert.deepEqual(
    [revision, (await table.matchEntries(['a:1', 'b:2'])).length],
    [2, 0],
    'what was found is asked anew',
  )
  opened.close()
})

suite('the record of SVIDs', () => {
  const attestation: Attestation = { id: 'one', evidence: 'kubernetes', subject: 'x', facts: ['a:1'] }
  const svid = (serialNumber: string, change: object = {}): Parameters<typeof tables.recordSvid>[0] => {
    return {
      serialNumber,
      spiffeId: 'spiffe://bank.test/a',
      attestationId: 'one',
      issuedAtMs: 1,
      notAfterMs: 9,
      ...change,
    }
  }
  let tables: ReturnType<typeof createEnrollmentTables>
  const factsOf = async (serial: string): Promise<readonly string[] | undefined> =>
    (await (tables as AttestationStore).findAttestation(serial, 'spiffe://bank.test/a'))?.facts

  beforeEach(async () => {
    tables = createEnrollmentTables(database)
    await tables.saveAttestation(attestation, 1)
  })

  test('takes what comes at one time together, and a bad one costs nobody else', async () => {
    const serials = Array.from({ length: 50 }, (_, n) => `s${n}`)
    const bad = [svid('s0'), svid('s99', { attestationId: 'gone' })]
    const outcomes = await Promise.allSettled(
      [...serials.map((s) => svid(s)), ...bad].map((one) => tables.recordSvid(one)),
    )
    assert.equal(outcomes.filter(({ status }) => status === 'rejected').length, 2)
    assert.deepEqual(await Promise.all(['s0', 's49', 's99'].map(factsOf)), [['a:1'], ['a:1'], undefined])
    assert.equal(await tables.countSvids(), 50)
  })

  test('fails for all that came together when the disk does, and takes them again later', async () => {
    database.exec('PRAGMA query_only = ON')
    const outcomes = await Promise.allSettled([svid('1'), svid('2')].map((one) => tables.recordSvid(one)))
    assert.ok(outcomes.every(({ status }) => status === 'rejected'))
    database.exec('PRAGMA query_only = OFF')
    await tables.recordSvid(svid('1'))
    assert.deepEqual(await Promise.all(['1', '2'].map(factsOf)), [['a:1'], undefined])
  })

  test('is forgotten with its end, also by what was looked up before', async () => {
    await tables.recordSvid(svid('1'))
    assert.deepEqual(await factsOf('1'), ['a:1'])
    await tables.prune(10)
    assert.equal(await factsOf('1'), undefined)
  })
})
