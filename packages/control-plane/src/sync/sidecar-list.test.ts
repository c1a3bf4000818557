import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock } from '@picket/runtime/testing'
import { createSidecarList } from './sidecar-list.ts'
import type { SyncConnection } from './sync-connection.ts'

/** A stream of this instance that has reported so many reasons. */
function connect(instanceId: string, reasons: number): SyncConnection {
  const connection = {
    identity: { id: { uri: 'spiffe://bank.test/payments' }, serialNumber: '01', notAfter: new Date(0) },
    hello: { instanceId, advertise: '', version: '' },
    standing: { entry: { service: 'payments' } },
    state: new Map(),
    report: { notReadyReasons: Array.from({ length: reasons }, () => 'x'.repeat(1024)) },
  }
  return connection as unknown as SyncConnection
}

test('a page is cut where sidecars say much, and the pages together hold each once', () => {
  const list = createSidecarList(new FakeClock())
  for (let number = 100; number < 400; number++) list.enter(connect(String(number), 32))
  const seen: string[] = []
  let pages = 0
  for (let pageToken = '', more = true; more; more = pageToken !== '') {
    const page = list.page({ pageSize: 0, pageToken })
    assert.ok(JSON.stringify(page.sidecars).length < 5_000_000)
    seen.push(...page.sidecars.map(({ instanceId }) => instanceId))
    pageToken = page.nextPageToken
    pages += 1
  }
  assert.ok(pages > 1)
  assert.deepEqual(
    seen,
    Array.from({ length: 300 }, (_, at) => String(100 + at)),
  )
})

test('a list without sidecars is one page, and without an end to go on from', () => {
  const list = createSidecarList(new FakeClock())
  assert.deepEqual(list.page({ pageSize: 0, pageToken: '' }), { sidecars: [], nextPageToken: '' })
})
