import { closeSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { messageOf } from '@picket/runtime'
import { ControlPlaneError } from '../error.ts'
import { migrate, MIGRATIONS, type Migration } from './migrations.ts'

/** "PKT1", in the file's header: tells our databases from other people's. */
const APPLICATION_ID = 0x504b5431

const SQLITE_BUSY = 5
const SQLITE_CORRUPT = 11
const SQLITE_NOTADB = 26

/**
 * Opens the database at `path`, making it when there is none, in its newest shape. What is there is looked at before
 * anything is written: a file that is not a sound Picket database is left as it is. The lock is exclusive, because two
 * control planes over one database would each believe to be the only one. Every commit is flushed to the disk: a join
 * token that was used stays used, whatever stops the machine.
 */
export function openDatabase(path: string, nowMs: number, migrations: readonly Migration[] = MIGRATIONS): DatabaseSync {
  closeSync(openSync(path, 'a', 0o600)) // SQLite gives its other files the mode of this one
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(path, { timeout: 2000, enableForeignKeyConstraints: true })
    database.exec('PRAGMA locking_mode = EXCLUSIVE')
    checkSound(database, path)
    database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA application_id = ${APPLICATION_ID}`)
    migrate(database, nowMs, migrations)
    return database
  } catch (thrown) {
    database?.close()
    throw toDatabaseError(thrown, path)
  }
}

function checkSound(database: DatabaseSync, path: string): void {
  const { application_id: id } = database.prepare('PRAGMA application_id').get() as { application_id: number }
  const { tables } = database.prepare('SELECT count(*) AS tables FROM sqlite_schema').get() as { tables: number }
  if (id !== APPLICATION_ID && (id !== 0 || tables > 0)) throw corrupt(path, 'it is a database of another program')
  const [first] = database.prepare('PRAGMA quick_check(1)').all() as { quick_check: string }[]
  if (first?.quick_check !== 'ok') throw corrupt(path, first?.quick_check ?? 'it cannot be checked')
}

function toDatabaseError(thrown: unknown, path: string): unknown {
  const code = (thrown as { errcode?: number }).errcode ?? 0
  switch (code & 0xff) {
    case SQLITE_BUSY:
      return new ControlPlaneError('ERR_DATABASE_BUSY', `${path} is in use by another control plane`, { cause: thrown })
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return corrupt(path, messageOf(thrown), thrown)
    default:
      return thrown
  }
}

function corrupt(path: string, why: string, cause?: unknown): ControlPlaneError {
  const wayOut = 'nothing was changed; restore a backup, or move the file away to start empty'
  return new ControlPlaneError('ERR_DATABASE_CORRUPT', `${path} cannot be used: ${why}: ${wayOut}`, { cause })
}
