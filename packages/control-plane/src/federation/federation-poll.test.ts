import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { TrustBundle } from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { compareBundles, pollDelayMs } from './federation-poll.ts'

const { bundle } = createTestAuthority('partner.test')
const withHint = (refreshHintSeconds: number | undefined): TrustBundle => ({ ...bundle, refreshHintSeconds })
const numbered = (sequence: bigint, from = bundle): TrustBundle => ({ ...from, sequence })

suite('the next fetch of a bundle comes', () => {
  const cases: [string, TrustBundle | undefined, number][] = [
    ['after its hint', withHint(600), 600_000],
    ['after five minutes when it has no hint', withHint(undefined), 300_000],
    ['no sooner than is allowed', withHint(1), 60_000],
    ['no sooner than is allowed, for a hint of nothing', withHint(0), 60_000],
    ['within a day, whatever the hint', withHint(2 ** 31), 86_400_000],
    ['as soon as is allowed while there is none', undefined, 60_000],
  ]
  for (const [when, held, delayMs] of cases) test(when, () => assert.equal(pollDelayMs(held, 60_000), delayMs))
})

suite('a fetched bundle', () => {
  const other = createTestAuthority('partner.test').bundle
  const cases: [string, TrustBundle | undefined, TrustBundle, string][] = [
    ['is taken when it is the first', undefined, numbered(1n), 'first'],
    ['is no news when it is the one held', numbered(4n), numbered(4n), 'none'],
    ['is taken with a higher number', numbered(4n), numbered(5n, other), 'newer'],
    ['is compared exactly', numbered(2n ** 53n), numbered(2n ** 53n + 1n, other), 'newer'],
    ['is refused with a lower number', numbered(5n), numbered(4n, other), 'rollback'],
    ['is refused with a lower number, though its keys are the same', numbered(5n), numbered(4n), 'rollback'],
    ['is taken without a number, as the last that came', numbered(5n), numbered(0n, other), 'unordered'],
    ['is taken after one without a number', numbered(0n), numbered(3n, other), 'unordered'],
    [
      'is taken with the same number, for its sender is the endpoint',
      numbered(5n),
      numbered(5n, other),
      'same-sequence',
    ],
  ]
  for (const [what, held, fetched, change] of cases) {
    test(what, () => assert.equal(compareBundles(held, fetched), change))
  }
})
