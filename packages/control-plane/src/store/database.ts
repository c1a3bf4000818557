import { createHash } from 'node:crypto'
import { chmodSync, closeSync, existsSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { messageOf } from '@picket/runtime'
import { ControlPlaneError } from '../error.ts'
import { migrations as shipped, type Migration } from './migrations.ts'

/** The control plane's one SQLite file. Writes are durable when a statement or transaction returns. */
export interface Database extends Disposable {
  readonly sql: DatabaseSync
  /** Runs `work` in one write transaction; rolls back and rethrows when it throws. Not re-entrant. */
  transaction<T>(work: () => T): T
}

/** Marks the file as ours (SQLite's application_id): "PKT1". */
const APPLICATION_ID = 0x504b5431

/**
 * Opens or creates `path` (0600), checks its integrity, applies what is missing of the migrations. Never repairs or
 * overwrites: throws `ERR_DATABASE_CORRUPT`, `ERR_DATABASE_FOREIGN`, `ERR_DATABASE_LOCKED` or `ERR_DATABASE_MIGRATION`
 * and leaves the file as it was.
 */
export function openDatabase(path: string, migrations: readonly Migration[] = shipped): Database {
  if (!existsSync(path)) closeSync(openSync(path, 'wx', 0o600))
  chmodSync(path, 0o600)
  const sql = new DatabaseSync(path)
  const database: Database = {
    sql,
    transaction: (work) => inTransaction(sql, work),
    [Symbol.dispose]: () => sql.close(),
  }
  try {
    sql.exec('PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF')
    checkIntegrity(sql, path)
    sql.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
    migrate(database, path, migrations)
    return database
  } catch (thrown) {
    sql.close()
    throw explain(thrown, path)
  }
}

function inTransaction<T>(sql: DatabaseSync, work: () => T): T {
  sql.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    sql.exec('COMMIT')
    return result
  } catch (thrown) {
    sql.exec('ROLLBACK')
    throw thrown
  }
}

function checkIntegrity(sql: DatabaseSync, path: string): void {
  const found = Number(sql.prepare('PRAGMA application_id').get()?.['application_id'])
  const tables = Number(sql.prepare('SELECT count(*) AS count FROM sqlite_schema').get()?.['count'])
  if (tables > 0 && found !== APPLICATION_ID) {
    throw new ControlPlaneError('ERR_DATABASE_FOREIGN', `${path} is an SQLite database, but not one of Picket's`)
  }
  const problems = sql
    .prepare('PRAGMA quick_check(5)')
    .all()
    .map((row) => String(row['quick_check']))
  if (problems.length !== 1 || problems[0] !== 'ok') throw corrupt(path, problems.join('; '))
}

function migrate(database: Database, path: string, migrations: readonly Migration[]): void {
  const { sql } = database
  database.transaction(() => {
    sql.exec(`PRAGMA application_id = ${APPLICATION_ID}`)
    sql.exec(
      'CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL) STRICT',
    )
    const applied = sql.prepare('SELECT number, name, checksum FROM migrations ORDER BY number').all()
    applied.forEach(({ number, name, checksum }, index) => {
      const ours = migrations[index]
      const what = `${path}: migration ${String(number)} "${String(name)}"`
      if (!ours) throw new ControlPlaneError('ERR_DATABASE_MIGRATION', `${what} is of a newer Picket: start that one`)
      if (ours.number !== number || checksumOf(ours) !== checksum) {
        throw new ControlPlaneError('ERR_DATABASE_MIGRATION', `${what} is not the one that this Picket ships`)
      }
    })
    for (const migration of migrations.slice(applied.length)) {
      sql.exec(migration.sql)
      const insert = sql.prepare('INSERT INTO migrations (number, name, checksum) VALUES (?, ?, ?)')
      insert.run(migration.number, migration.name, checksumOf(migration))
    }
  })
}

function checksumOf({ number, name, sql }: Migration): string {
  return createHash('sha256').update(`${number}\n${name}\n${sql}`).digest('hex')
}

/** SQLite's primary result codes that speak of the file and not of our statements. */
const FILE_FAULTS: Readonly<Record<number, (path: string, detail: string) => ControlPlaneError>> = {
  5: (path) =>
    new ControlPlaneError('ERR_DATABASE_LOCKED', `${path} is in use by another process`, { retryable: true }),
  11: (path, detail) => corrupt(path, detail),
  26: (path, detail) => corrupt(path, detail),
}

function explain(thrown: unknown, path: string): unknown {
  const errcode = (thrown as { errcode?: unknown }).errcode
  const fault = typeof errcode === 'number' ? FILE_FAULTS[errcode & 0xff] : undefined
  return fault ? fault(path, messageOf(thrown)) : thrown
}

function corrupt(path: string, detail: string): ControlPlaneError {
  const wayOut = 'nothing was changed; move it aside and put a backup in its place'
  return new ControlPlaneError('ERR_DATABASE_CORRUPT', `${path} is damaged (${detail}): ${wayOut}`)
}
