import type { DatabaseSync } from 'node:sqlite'
import { inTransaction } from './transaction.ts'

/**
 * Writes of many callers in one transaction: a flush to the disk costs more than the writes. What comes in during one turn
 * of the event loop is written at its end, in order; a caller hears of it when all of it is on the disk. When one of them
 * cannot be, each is written by itself, so that it fails alone.
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

  function commit(group: readonly Waiter<T>[]): void {
    try {
      inTransaction(database, () => {
        for (const { item } of group) write(item)
      })
    } catch (thrown) {
      if (group.length === 1) group[0]!.reject(thrown)
      else for (const waiter of group) commit([waiter])
      return
    }
    for (const { resolve } of group) resolve()
  }

  return {
    run(item) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      waiting.push({ item, resolve, reject })
      if (waiting.length > 1) return promise
      setImmediate(() => {
        const group = waiting
        waiting = []
        commit(group)
      })
      return promise
    },
  }
}
