import { open } from 'node:fs/promises'
import type { DatabaseSync } from 'node:sqlite'
import { inTransaction } from './transaction.ts'

/**
 * Writes of many callers in one transaction: a flush to the disk costs more than the writes. What comes in during a flush is
 * in the next one, in order; a caller hears of it when all of it is on the disk. When one of them cannot be, each is written
 * by itself, so that it fails alone.
 *
 * SQLite would flush its log inside COMMIT and hold up the whole process for it. So it is told to leave that (NORMAL, for
 * these commits alone), and the log is flushed on the thread pool before anybody is answered: as durable, and the event
 * loop goes on. A checkpoint flushes the log itself first.
 */
export interface GroupCommit<T> {
  run(item: T): Promise<void>
}

interface Waiter<T> {
  readonly item: T
  readonly resolve: () => void
  readonly reject: (thrown: unknown) => void
}

export function createGroupCommit<T>(database: DatabaseSync, write: (item: T) => void): GroupCommit<T> {
  const log = `${database.location()!}-wal`
  let waiting: Waiter<T>[] = []
  let flushing = false

  /** Those of the group that are written. */
  function commit(group: readonly Waiter<T>[]): readonly Waiter<T>[] {
    try {
      inTransaction(database, () => {
        for (const { item } of group) write(item)
      })
      return group
    } catch (thrown) {
      if (group.length > 1) return group.flatMap((waiter) => commit([waiter]))
      group[0]!.reject(thrown)
      return []
    }
  }

  async function flush(): Promise<void> {
    while (waiting.length > 0) {
      const group = waiting
      waiting = []
      try {
        await settle(group)
      } catch (thrown) {
        for (const { reject } of group) reject(thrown) // those that were told already hear nothing more
      }
    }
    flushing = false
  }

  function commitUnflushed(group: readonly Waiter<T>[]): readonly Waiter<T>[] {
    database.exec('PRAGMA synchronous = NORMAL')
    try {
      return commit(group)
    } finally {
      database.exec('PRAGMA synchronous = FULL')
    }
  }

  async function settle(group: readonly Waiter<T>[]): Promise<void> {
    const written = commitUnflushed(group)
    await using file = await open(log, 'r')
    await file.datasync()
    for (const { resolve } of written) resolve()
  }

  return {
    run(item) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      waiting.push({ item, resolve, reject })
      if (!flushing) {
        flushing = true
        setImmediate(() => void flush())
      }
      return promise
    },
  }
}
