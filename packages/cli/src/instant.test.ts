import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseInstant } from './instant.ts'

test('reads what toISOString writes, and offsets', () => {
  const dates = fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true })
  fc.assert(fc.property(dates, (date) => assert.deepEqual(parseInstant(date.toISOString()), date)))
  assert.deepEqual(parseInstant('2026-11-26T02:15+01:00'), new Date('2026-11-26T01:15:00Z'))
  assert.deepEqual(parseInstant('2028-02-29T00:00:00Z'), new Date(Date.UTC(2028, 1, 29)))
})

const REFUSED = [
  ['', 'now', '2026-11-26', '2026-11-26T02:15:00', '2026-11-26 02:15:00Z', '1764123300'],
  ['2026-02-29T00:00:00Z', '2026-04-31T00:00:00Z', '2026-13-01T00:00:00Z', '2026-00-01T00:00:00Z'],
  ['2026-01-00T00:00:00Z', '2026-01-01T25:00:00Z', '2026-01-01T00:00:00+99:00', ' 2026-01-01T00:00:00Z'],
].flat()

for (const text of REFUSED) {
  test(`refuses "${text}"`, () => assert.throws(() => parseInstant(text), TypeError))
}
