import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseTrustDomain } from '@picket/identity'
import type { Entry } from '@picket/rpc'
import { parseEntriesFile, toDesired, type DesiredEntry } from './apply-file.ts'
import { planEntries } from './apply-plan.ts'

const desired = (...lines: readonly string[]): readonly DesiredEntry[] =>
  toDesired(
    parseEntriesFile(`entries:\n${lines.map((line) => `- ${line}\n`).join('')}`, 'f'),
    parseTrustDomain('bank.test'),
  )

function held(id: string, change: Partial<Entry> = {}): Entry {
  return {
    id,
    spiffeId: `spiffe://bank.test/${id}`,
    selectors: [`service:${id}`],
    ttlSeconds: 0,
    dnsNames: [],
    service: id,
    hint: '',
    federatesWith: [],
    createdAtMs: 1,
    updatedAtMs: 1,
    ...change,
  }
}

const shown = (plan: ReturnType<typeof planEntries>): unknown[] =>
  plan.changes.map(({ action, id, change }) => [action, id, change?.kind])

test('what is the same is left alone, what differs is changed in its place, what is new is made', () => {
  const files = desired(
    '{spiffe_id: /a, selectors: [service:a]}',
    '{spiffe_id: /b, selectors: [service:b], ttl: 1m, hint: x}',
    '{spiffe_id: /c, selectors: [service:c]}',
  )
  const plan = planEntries(files, [held('a'), held('b'), held('d')], false)
  assert.deepEqual(shown(plan), [
    ['update', 'b', 'update'],
    ['create', '', 'create'],
    ['unmanaged', 'd', undefined],
  ])
  assert.deepEqual(plan.changes[0]!.differences, ['ttlSeconds: 0 → 60', 'hint: "" → "x"'])
  assert.equal(plan.unchanged, 1)
})

test('pruning deletes what is in no file, and keeps the entry whose selectors alone have changed', () => {
  const files = desired('{spiffe_id: /a, selectors: [service:other]}')
  assert.deepEqual(shown(planEntries(files, [held('a'), held('b')], true)), [
    ['update', 'a', 'update'],
    ['delete', 'b', 'delete'],
  ])
  assert.deepEqual(shown(planEntries(files, [held('a')], false)), [
    ['create', '', 'create'],
    ['unmanaged', 'a', undefined],
  ])
})

test('pruning does not guess which of several entries of one SPIFFE ID was meant', () => {
  const files = desired('{spiffe_id: /a, selectors: [service:new]}')
  const two = [held('a'), held('z', { spiffeId: 'spiffe://bank.test/a', service: 'a' })]
  assert.deepEqual(shown(planEntries(files, two, true)), [
    ['create', '', 'create'],
    ['delete', 'a', 'delete'],
    ['delete', 'z', 'delete'],
  ])
})
