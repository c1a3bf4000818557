import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createOutput, toJson, toTable, type Listing } from './output.ts'
import { createTestContext } from './testing.ts'

type Item = { readonly name: string; readonly port: number }

const listing = (items: readonly Item[]): Listing<Item> => ({
  kind: 'ServiceList',
  items,
  columns: [
    ['NAME', ({ name }) => name],
    ['PORT', ({ port }) => String(port)],
  ],
})

test('a table has upper-case headers, no borders and no trailing blanks', () => {
  const items = [
    { name: 'payments', port: 7443 },
    { name: 'ledger', port: 1 },
  ]
  assert.equal(toTable(listing(items)), 'NAME      PORT\npayments  7443\nledger    1\n')
  assert.equal(toTable(listing(items), false), 'payments  7443\nledger    1\n')
})

test('an empty list is its headers, or nothing without them', () => {
  assert.equal(toTable(listing([])), 'NAME  PORT\n')
  assert.equal(toTable(listing([]), false), '')
})

test('an empty cell is a dash', () => {
  assert.equal(toTable(listing([{ name: '', port: 1 }]), false), '-  1\n')
})

test('whatever a name holds, a row stays one line and cannot steer the terminal', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) => {
      const table = toTable(listing([{ name: `a${name}`, port: 1 }]), false)
      assert.equal(table.split('\n').length, 2)
      // oxlint-disable-next-line no-control-regex -- that is what must not be there
      assert.doesNotMatch(table.slice(0, -1), /[\u0000-\u001f\u007f-\u009f]/)
    }),
  )
})

test('JSON names its version and kind and holds the items as they are', () => {
  const items = [{ name: 'evil\u001b[2J', port: 7443 }]
  assert.deepEqual(JSON.parse(toJson(listing(items))), { apiVersion: 'picket/v1', kind: 'ServiceList', items })
})

test('data goes to standard output, notes and warnings to standard error, notes not with --quiet', () => {
  const loud = createTestContext()
  const output = createOutput(loud, { output: 'table', headers: true, quiet: false })
  output.list(listing([]))
  output.text('te\u001bxt')
  output.note('progress\u001b[2J')
  output.warn('care\u0007ful')
  assert.deepEqual(loud.printed, { out: 'NAME  PORT\nte?xt\n', err: 'progress?[2J\nwarning: care?ful\n' })

  const quiet = createTestContext()
  const silent = createOutput(quiet, { output: 'json', headers: true, quiet: true })
  silent.note('progress')
  silent.warn('careful')
  assert.deepEqual(quiet.printed, { out: '', err: 'warning: careful\n' })
})
