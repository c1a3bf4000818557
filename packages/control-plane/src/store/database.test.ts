import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, suite, test } from 'node:test'
import { openDatabase } from './database.ts'
import { checksumOf, MIGRATIONS } from './migrations.ts'

let folder: string
let path: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'picket-database-'))
  path = join(folder, 'picket.db')
})
afterEach(() => rmSync(folder, { recursive: true }))

function fill(): void {
  const database = openDatabase(path, 1)
  const insert = database.prepare('INSERT INTO attestations (id, selectors, attested_at_ms) VALUES (?, ?, 1)')
  for (let row = 0; row < 500; row++) insert.run(`attestation-${row}`, JSON.stringify(['service:payments']))
  database.close()
}

suite('the database', () => {
  test('keeps what was written and is readable by its owner alone', () => {
    fill()
    const database = openDatabase(path, 2)
    assert.equal(database.prepare('SELECT count(*) AS rows FROM attestations').get()?.['rows'], 500)
    for (const name of readdirSync(folder)) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name)
    database.close()
  })

  const damages: Record<string, (sound: Buffer) => Buffer> = {
    'is not SQLite at all': () => Buffer.from('this is not a database '.repeat(100)),
    'is cut in the middle': (sound) => sound.subarray(0, 20_000),
    'is cut inside its first page': (sound) => sound.subarray(0, 1000),
    'has pages of zeros': (sound) => Buffer.concat([sound.subarray(0, 8192), Buffer.alloc(sound.length - 8192)]),
    'has a foreign application id': (sound) => Buffer.from(sound).fill(1, 68, 72),
  }
  for (const [what, damage] of Object.entries(damages)) {
    test(`is refused and left as it is when the file ${what}`, () => {
      fill()
      const damaged = damage(readFileSync(path))
      writeFileSync(path, damaged)
      assert.throws(() => openDatabase(path, 2), { code: 'ERR_DATABASE_CORRUPT', message: /nothing was changed/ })
      assert.ok(readFileSync(path).equals(damaged))
    })
  }

  test('of another program is refused', () => {
    const other = new DatabaseSync(path)
    other.exec('CREATE TABLE theirs (x)')
    other.close()
    const before = readFileSync(path)
    assert.throws(() => openDatabase(path, 1), { code: 'ERR_DATABASE_CORRUPT', message: /another program/ })
    assert.ok(readFileSync(path).equals(before))
  })

  test('is one control plane’s at a time', () => {
    const database = openDatabase(path, 1)
    assert.throws(() => openDatabase(path, 1), { code: 'ERR_DATABASE_BUSY' })
    database.close()
    openDatabase(path, 1).close()
  })
})

suite('migrations', () => {
  const LATER = { name: '9999-later', sql: 'CREATE TABLE later (x)' }

  test('that have been released do not change', () => {
    assert.deepEqual(
      MIGRATIONS.map((migration) => [migration.name, checksumOf(migration)]),
      [
        ['0001-registry', 'f9114a2e59782bd3d2dbbf7310310fc72ae68f4b0714d5b01ca10ef69969f492'],
        ['0002-entries-as-code', '487b2fc6bc6510d4b252976231c24d2f2f58ceff08206c27de7d3f229b1b45b7'],
        ['0003-federation', 'cc89a9a70a7bb106476e83a0b3394961f6a98bd43a6df5410588befe8083f900'],
        ['0004-revocations', 'c2c94ccc358597a9dae07972783f33fce29af6c9bb87455c5cc487f92714488c'],
        ['0005-entry-keys', 'fac01ad88bbbf589a2817b37e71a7726b38b4df231619a17d00aff00589eb810'],
      ],
    )
  })

  test('run once each and in order', () => {
    openDatabase(path, 1).close()
    const database = openDatabase(path, 2, [...MIGRATIONS, LATER])
    database.exec('INSERT INTO later VALUES (1)')
    database.close()
    openDatabase(path, 3, [...MIGRATIONS, LATER]).close()
  })

  test('of a newer Picket, or edited since, refuse to open', () => {
    openDatabase(path, 1, [...MIGRATIONS, LATER]).close()
    assert.throws(() => openDatabase(path, 2), { code: 'ERR_DATABASE_MIGRATION' })
    const edited = MIGRATIONS.map((migration) => ({ ...migration, sql: `${migration.sql} ` }))
    assert.throws(() => openDatabase(path, 2, [...edited, LATER]), { code: 'ERR_DATABASE_MIGRATION' })
  })

  test('that fail are not there at all', () => {
    const failing = { name: '9999-failing', sql: 'CREATE TABLE half (x); CREATE TABLE half (x)' }
    assert.throws(() => openDatabase(path, 1, [...MIGRATIONS, failing]))
    const database = openDatabase(path, 2)
    assert.equal(database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'half'").get(), undefined)
    database.close()
  })
})

test('a writer that is killed loses nothing that it was told was written', async () => {
  const writer = `
    import { openDatabase } from ${JSON.stringify(join(import.meta.dirname, 'database.ts'))}
    const database = openDatabase(${JSON.stringify(path)}, 1)
    const insert = database.prepare('INSERT INTO attestations (id, selectors, attested_at_ms) VALUES (?, ?, 1)')
    for (let row = 0; ; row++) {
      insert.run(String(row), '[]')
      await new Promise((written) => process.stdout.write(row + '\\n', written))
    }`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', writer], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let told = -1
  for await (const line of createInterface({ input: child.stdout })) {
    told = Number(line)
    if (told === 300) child.kill('SIGKILL')
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  const database = openDatabase(path, 2)
  const rows = database.prepare('SELECT count(*) AS rows FROM attestations').get()?.['rows'] as number
  assert.ok(told >= 300 && rows > told, `${rows} rows, told ${told}`)
  database.close()
})
