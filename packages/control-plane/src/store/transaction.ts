import type { DatabaseSync } from 'node:sqlite'
import { messageOf } from '@picket/runtime'
import { ControlPlaneError } from '../error.ts'

/** SQLite's primary result codes for a disk or a lock that refuses: what was asked may work later. */
const REFUSALS: ReadonlyMap<number, string> = new Map([
  [5, 'it is locked'],
  [6, 'it is locked'],
  [8, 'it is read-only'],
  [10, 'the disk fails'],
  [13, 'the disk is full'],
])

/** All of `act` or nothing of it. Throws `ERR_DATABASE_WRITE`, retryable, when the disk or a lock refuses. */
export function inTransaction<T>(database: DatabaseSync, act: () => T): T {
  try {
    database.exec('BEGIN IMMEDIATE')
    const result = act()
    database.exec('COMMIT')
    return result
  } catch (thrown) {
    if (database.isTransaction) database.exec('ROLLBACK')
    const why = REFUSALS.get(((thrown as { errcode?: number }).errcode ?? 0) & 0xff)
    if (why === undefined) throw thrown
    const message = `the database was not changed: ${why} (${messageOf(thrown)})`
    throw new ControlPlaneError('ERR_DATABASE_WRITE', message, { cause: thrown, retryable: true })
  }
}
