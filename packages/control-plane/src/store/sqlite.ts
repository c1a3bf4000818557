import type { Store } from './store.ts'
import { openDatabase } from './database.ts'
import { createEndpointTable } from './endpoint-table.ts'
import { createEnrollmentTables } from './enrollment-tables.ts'
import { createEntryTable } from './entry-table.ts'
import { createFederationTable } from './federation-table.ts'
import { createPolicyTable } from './policy-table.ts'
import { createRevocationTable } from './revocation-table.ts'

/** The store in one SQLite file; see `openDatabase` for what it refuses. */
export function openSqliteStore(path: string, nowMs: number): Store {
  const database = openDatabase(path, nowMs)
  return {
    ...createEntryTable(database),
    ...createEnrollmentTables(database),
    ...createPolicyTable(database),
    ...createEndpointTable(database),
    ...createRevocationTable(database),
    ...createFederationTable(database),
    async [Symbol.asyncDispose]() {
      database.close()
    },
  }
}
