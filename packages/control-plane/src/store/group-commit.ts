import type { DatabaseSync } from 'node:sqlite'
import { inTransaction, toWriteError } from './transaction.ts'

/**
 * Writes of many callers in one transaction: a flush to the disk costs more than the writes. What comes in during one turn
 * of the event loop is written at its end, in order; a caller hears of it when all of it is on the disk. A write that
 * throws takes itself back and nobody else's.
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
  let waiting: Waiter<T>[] = []

  function commit(): void {
    const group = waiting
    waiting = []
    const failed = new Map<Waiter<T>, unknown>()
    try {
      inTransaction(database, () => {
        for (const waiter of group) {
          database.exec('SAVEPOINT one')
          try {
            write(waiter.item)
          } catch (thrown) {
            if (!database.isTransaction) throw thrown // the disk took the whole of it back
            database.exec('ROLLBACK TO one')
            failed.set(waiter, toWriteError(thrown))
          }
          database.exec('RELEASE one')
        }
      })
    } catch (thrown) {
      for (const { reject } of group) reject(thrown)
      return
    }
    for (const waiter of group) {
      if (failed.has(waiter)) waiter.reject(failed.get(waiter))
      else waiter.resolve()
    }
  }

  return {
    run(item) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      waiting.push({ item, resolve, reject })
      if (waiting.length === 1) setImmediate(commit)
      return promise
    },
  }
}
