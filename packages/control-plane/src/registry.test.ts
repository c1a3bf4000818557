import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, suite, test } from 'node:test'
import { parseSpiffeId, parseTrustDomain } from '@picket/identity'
import type { EntryDraft } from '@picket/rpc'
import { Secret, systemRandom } from '@picket/runtime'
import { createFakeRandom, FakeClock } from '@picket/runtime/testing'
import { createEndpointRegistry, ENDPOINT_GRACE_MS } from './endpoints.ts'
import { createEnrollment, type Enrollment } from './enrollment.ts'
import { createEntries, type Entries } from './entries.ts'
import { createJoinTokens, type JoinTokens } from './join-tokens.ts'
import { openDatabase, type Database } from './store/database.ts'
import { migrations } from './store/migrations.ts'

const trustDomain = parseTrustDomain('bank.test')
const payments = parseSpiffeId('spiffe://bank.test/payments')
const draft: EntryDraft = {
  spiffeId: payments.uri,
  selectors: ['service:payments'],
  ttlSeconds: 0,
  dnsNames: [],
  service: '',
}

let folder: string
let path: string
let database: Database
let clock: FakeClock
let entries: Entries
let tokens: JoinTokens
let enrollment: Enrollment

function open(): void {
  database = openDatabase(path)
  entries = createEntries(database, trustDomain, { clock, random: createFakeRandom() })
  tokens = createJoinTokens(database, { clock, random: systemRandom })
  enrollment = createEnrollment(database, { entries, tokens, clock })
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'picket-registry-'))
  path = join(folder, 'picket.db')
  clock = new FakeClock()
  open()
})
afterEach(() => {
  if (database.sql.isOpen) database[Symbol.dispose]()
  rmSync(folder, { recursive: true })
})

suite('registration entries', () => {
  test('are given an id and the last path segment as the service name', () => {
    const entry = entries.create(draft)
    assert.equal(entry.service, 'payments')
    assert.deepEqual(entries.list(0, '').entries, [entry])
  })

  const refused: Record<string, [Partial<EntryDraft>, string]> = {
    'no SPIFFE ID': [{ spiffeId: 'payments' }, 'ERR_ENTRY'],
    'upper case': [{ spiffeId: 'SPIFFE://bank.test/a' }, 'ERR_ENTRY'],
    'a foreign trust domain': [{ spiffeId: 'spiffe://other.test/a' }, 'ERR_ENTRY'],
    'no path': [{ spiffeId: 'spiffe://bank.test' }, 'ERR_ENTRY'],
    'a reserved path': [{ spiffeId: 'spiffe://bank.test/picket/operator' }, 'ERR_ENTRY'],
    'no selector': [{ selectors: [] }, 'ERR_SELECTOR'],
    'a selector without a type': [{ selectors: ['payments'] }, 'ERR_SELECTOR'],
    'a selector with a space': [{ selectors: ['service:a b'] }, 'ERR_SELECTOR'],
    'a TTL that is too short': [{ ttlSeconds: 1 }, 'ERR_ENTRY'],
    'a TTL that is too long': [{ ttlSeconds: 90_000 }, 'ERR_ENTRY'],
    'a bad DNS name': [{ dnsNames: ['UPPER.test'] }, 'ERR_ENTRY'],
    'a bad service name': [{ service: 'a.b' }, 'ERR_ENTRY'],
  }
  for (const [what, [change, code]] of Object.entries(refused)) {
    test(`are refused with ${what}`, () => {
      assert.throws(() => entries.create({ ...draft, ...change }), { code })
      assert.equal(entries.count, 0)
    })
  }

  test('are refused twice for the same ID and selectors, in any order', () => {
    entries.create({ ...draft, selectors: ['a:1', 'b:2'] })
    assert.throws(() => entries.create({ ...draft, selectors: ['b:2', 'a:1', 'a:1'] }), { code: 'ERR_ENTRY_DUPLICATE' })
  })

  test('are listed in pages without a gap or a repeat', () => {
    const created = Array.from({ length: 7 }, (_, index) => entries.create({ ...draft, selectors: [`n:${index}`] }).id)
    const seen: string[] = []
    let pageToken = ''
    do {
      const page = entries.list(3, pageToken)
      seen.push(...page.entries.map(({ id }) => id))
      pageToken = page.nextPageToken
    } while (pageToken !== '')
    assert.deepEqual(seen, created)
  })

  test('and what was attested survive a restart', () => {
    entries.create(draft)
    const { token } = tokens.create(['service:payments'], 0)
    assert.equal(enrollment.enroll(token, undefined).kind, 'enrolled')
    database[Symbol.dispose]()
    open()
    assert.equal(entries.count, 1)
    assert.equal(enrollment.renew(payments).kind, 'enrolled')
  })
})

suite('a join token', () => {
  test('is good once', () => {
    const { token } = tokens.create(['service:payments'], 0)
    assert.equal(tokens.redeem(token).kind, 'redeemed')
    assert.deepEqual(tokens.redeem(token), { kind: 'refused', reason: 'token_used' })
  })

  test('is good for 600 s unless told otherwise', async () => {
    const { token } = tokens.create(['service:payments'], 0)
    const { token: brief } = tokens.create(['service:payments'], 5000)
    await clock.advance(5000)
    assert.deepEqual(tokens.redeem(brief), { kind: 'refused', reason: 'token_expired' })
    await clock.advance(594_999)
    assert.equal(tokens.redeem(token).kind, 'redeemed')
  })

  test('is not in the database, only its hash', () => {
    const { token } = tokens.create(['service:payments'], 0)
    database.sql.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    assert.equal(readFileSync(path).includes(token.reveal()), false)
  })

  for (const wrong of ['', 'x', 'A'.repeat(43), 'é'.repeat(43), 'A'.repeat(100_000)]) {
    test(`is refused when it is ${wrong.length} characters of something else`, () => {
      assert.deepEqual(tokens.redeem(new Secret(wrong)), { kind: 'refused', reason: 'token_unknown' })
    })
  }
})

suite('enrollment', () => {
  const enroll = (facts: string[], wanted?: string): unknown => {
    const outcome = enrollment.enroll(tokens.create(facts, 0).token, wanted ? parseSpiffeId(wanted) : undefined)
    return outcome.kind === 'enrolled' ? outcome.id.uri : outcome.reason
  }

  test('takes the entry whose selectors are all proven, the most specific first', () => {
    entries.create({ ...draft, spiffeId: 'spiffe://bank.test/any', selectors: ['zone:core'] })
    entries.create({ ...draft, selectors: ['zone:core', 'service:payments'] })
    assert.equal(enroll(['zone:core']), 'spiffe://bank.test/any')
    assert.equal(enroll(['service:payments', 'zone:core', 'other:x']), payments.uri)
  })

  test('denies when nothing matches, when the choice is a guess, and when the wanted one is not among them', () => {
    assert.equal(enroll(['service:payments']), 'no_entry')
    entries.create({ ...draft, spiffeId: 'spiffe://bank.test/a', selectors: ['x:1'] })
    entries.create({ ...draft, spiffeId: 'spiffe://bank.test/b', selectors: ['x:1'] })
    assert.equal(enroll(['x:1']), 'ambiguous_entries')
    assert.equal(enroll(['x:1'], 'spiffe://bank.test/b'), 'spiffe://bank.test/b')
    assert.equal(enroll(['x:1'], 'spiffe://bank.test/c'), 'wanted_id_not_entitled')
  })

  test('renews only while an entry still matches what was attested', () => {
    assert.deepEqual(enrollment.renew(payments), { kind: 'denied', reason: 'never_attested' })
    const entry = entries.create(draft)
    enroll(['service:payments'])
    assert.equal(enrollment.renew(payments).kind, 'enrolled')
    entries.delete(entry.id)
    entries.create({ ...draft, selectors: ['service:somebody-else'] })
    assert.deepEqual(enrollment.renew(payments), { kind: 'denied', reason: 'entry_withdrawn' })
  })
})

suite('endpoints', () => {
  const instance = (
    instanceId: string,
    port: number,
  ): Parameters<ReturnType<typeof createEndpointRegistry>['register']>[0] => ({
    instanceId,
    service: 'payments',
    id: payments,
    address: { host: '127.0.0.1', port },
  })

  test('stay for a grace after their sidecar has gone', async () => {
    const registry = createEndpointRegistry(database, { clock })
    const empty = registry.snapshot.value.revision
    const gone = registry.register(instance('one', 1))
    gone[Symbol.dispose]()
    await clock.advance(ENDPOINT_GRACE_MS - 1)
    assert.notEqual(registry.snapshot.value.revision, empty)
    await clock.advance(1)
    assert.equal(registry.snapshot.value.revision, empty)
  })

  test('keep their revision when a sidecar comes back on the same address', () => {
    const registry = createEndpointRegistry(database, { clock })
    registry.register(instance('one', 1))
    const before = registry.snapshot.value
    registry.register(instance('two', 1))
    assert.equal(registry.snapshot.value, before)
  })

  test('are still known after a restart of the control plane, for a grace', async () => {
    createEndpointRegistry(database, { clock }).register(instance('one', 1))
    const restarted = createEndpointRegistry(database, { clock })
    assert.match(restarted.snapshot.value.payload.toString(), /127\.0\.0\.1:1/)
    await clock.advance(ENDPOINT_GRACE_MS)
    assert.doesNotMatch(restarted.snapshot.value.payload.toString(), /127\.0\.0\.1:1/)
  })
})

suite('the database', () => {
  const refusedFiles: Record<string, [Buffer, string]> = {
    'is not SQLite at all': [Buffer.from('this is not a database '.repeat(100)), 'ERR_DATABASE_CORRUPT'],
    'is cut in the middle': [Buffer.alloc(0), 'ERR_DATABASE_CORRUPT'],
  }
  for (const [what, [bytes, code]] of Object.entries(refusedFiles)) {
    test(`is refused and left untouched when the file ${what}`, () => {
      entries.create(draft)
      database[Symbol.dispose]()
      const damaged = bytes.length > 0 ? bytes : readFileSync(path).subarray(0, 6000)
      writeFileSync(path, damaged)
      assert.throws(() => openDatabase(path), { code })
      assert.deepEqual(readFileSync(path), damaged)
    })
  }

  test('is private', () => assert.equal(statSync(path).mode & 0o777, 0o600))

  test('of another program is refused', () => {
    const foreign = join(folder, 'foreign.db')
    const other = new DatabaseSync(foreign)
    other.exec('CREATE TABLE theirs (x)')
    other.close()
    assert.throws(() => openDatabase(foreign), { code: 'ERR_DATABASE_FOREIGN' })
  })

  test('of a newer Picket, or with an edited history, is refused', () => {
    database[Symbol.dispose]()
    const newer = [...migrations, { number: migrations.length + 1, name: 'later', sql: 'CREATE TABLE later (x)' }]
    openDatabase(path, newer)[Symbol.dispose]()
    assert.throws(() => openDatabase(path), { code: 'ERR_DATABASE_MIGRATION' })
    const edited = newer.map((migration) =>
      migration.number === 1 ? { ...migration, sql: `${migration.sql} ` } : migration,
    )
    assert.throws(() => openDatabase(path, edited), { code: 'ERR_DATABASE_MIGRATION' })
  })

  test('applies a failing migration not at all', () => {
    database[Symbol.dispose]()
    const failing = [...migrations, { number: 99, name: 'bad', sql: 'CREATE TABLE half (x); CREATE TABLE half (x)' }]
    assert.throws(() => openDatabase(path, failing))
    database = openDatabase(path)
    const tables = database.sql.prepare("SELECT name FROM sqlite_schema WHERE name = 'half'").all()
    assert.deepEqual(tables, [])
  })
})
