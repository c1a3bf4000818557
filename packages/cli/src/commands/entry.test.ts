import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Entry } from '@picket/rpc'
import { listAllEntries } from './entry.ts'

const entry = (id: string): Entry => ({
  id,
  spiffeId: `spiffe://bank.test/${id}`,
  selectors: [],
  ttlSeconds: 0,
  dnsNames: [],
  service: '',
  createdAtMs: 0,
  updatedAtMs: 0,
  hint: '',
  federatesWith: [],
})

test('all pages are listed, in order', async () => {
  const pages: Record<string, { entries: Entry[]; nextPageToken: string; revision: number }> = {
    '': { entries: [entry('a'), entry('b')], nextPageToken: 'two', revision: 1 },
    two: { entries: [entry('c')], nextPageToken: 'three', revision: 1 },
    three: { entries: [], nextPageToken: '', revision: 1 },
  }
  const admin = { listEntries: ({ pageToken }: { pageToken: string }) => Promise.resolve(pages[pageToken]!) }
  assert.deepEqual(
    (await listAllEntries(admin)).map(({ id }) => id),
    ['a', 'b', 'c'],
  )
})
