import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatDuration, parseDuration } from './duration.ts'

test('reads one unit or several', () => {
  const readings = { '250ms': 250, '0s': 0, '90s': 90_000, '1h30m': 5_400_000, '2d': 172_800_000, '1m1ms': 60_001 }
  for (const [text, ms] of Object.entries(readings)) assert.equal(parseDuration(text), ms, text)
})

for (const text of ['', '90', 's', '-1s', '1.5h', '1 h', '1H', '10min', '1s ', '1s\n', '1e3s', '9999999999s', '1sm']) {
  test(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseDuration(text), { code: 'ERR_DURATION' }))
}

test('arbitrary text is a span or ERR_DURATION, nothing else', () => {
  const pieces = fc
    .array(fc.constantFrom('1', '007', 's', 'ms', 'm', 'h', ' ', '-', '.'))
    .map((parts) => parts.join(''))
  fc.assert(
    fc.property(fc.oneof(fc.string(), pieces), (text) => {
      try {
        assert.ok(parseDuration(text) >= 0)
      } catch (thrown) {
        assert.equal((thrown as { code?: string }).code, 'ERR_DURATION')
      }
    }),
  )
})

test('shows the two largest units that matter', () => {
  const shown = new Map([
    [0, '0ms'],
    [250, '250ms'],
    [999.6, '1s'],
    [1000, '1s'],
    [59 * 60_000 + 12_000, '59m 12s'],
    [3_600_000, '1h'],
    [3 * 86_400_000 + 4 * 3_600_000 + 59_000, '3d 4h'],
    [-90_000, '-1m 30s'],
  ])
  for (const [ms, text] of shown) assert.equal(formatDuration(ms), text)
})

test('what is shown reads back to within a second of a thousandth of the span', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10 ** 11 }), (ms) => {
      const again = parseDuration(formatDuration(ms).replaceAll(' ', ''))
      assert.ok(again <= ms && ms - again < 1000 + ms / 24, `${ms} → ${again}`)
    }),
  )
})
