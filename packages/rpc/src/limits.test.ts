import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { FakeClock } from '@picket/runtime/testing'
import { createCallLimiter, createTokenBucket } from './limits.ts'

suite('limits', () => {
  test('a bucket gives its burst at once and then its rate', async () => {
    const clock = new FakeClock()
    const bucket = createTokenBucket({ perSecond: 2, burst: 3 }, clock)
    const taken = (): number => {
      let count = 0
      while (bucket.take()) count += 1
      return count
    }
    assert.equal(taken(), 3)
    await clock.advance(1000)
    assert.equal(taken(), 2)
    await clock.advance(60_000)
    assert.equal(taken(), 3)
  })

  test('one caller over its rate does not slow another', async () => {
    const clock = new FakeClock()
    const limiter = createCallLimiter(clock)
    const enter = (key: string): void => limiter.enter('Certificates/Attest', key)[Symbol.dispose]()
    for (let call = 0; call < 2000; call++) enter('10.0.0.1')
    assert.throws(() => enter('10.0.0.1'), { code: 'ERR_RPC_EXHAUSTED', retryable: true })
    enter('10.0.0.2')
    await clock.advance(5)
    enter('10.0.0.1')
  })

  test('no more calls that sign run at one time than the table allows, and one that ends makes room', () => {
    const limiter = createCallLimiter(new FakeClock())
    const running = Array.from({ length: 256 }, (_, index) => limiter.enter('Certificates/Attest', `host-${index}`))
    assert.throws(() => limiter.enter('Certificates/Attest', 'another'), {
      code: 'ERR_RPC_EXHAUSTED',
      retryAfterMs: 500,
    })
    assert.throws(() => limiter.enter('Certificates/Attest', 'one more'), { retryAfterMs: 501 }, 'its turn is later')
    running[0]?.[Symbol.dispose]()
    limiter.enter('Certificates/Attest', 'another')
  })

  test('says how long until there is room again', () => {
    const limiter = createCallLimiter(new FakeClock())
    for (let call = 0; call < 2000; call++) limiter.enter('Certificates/Issue', 'gateway')[Symbol.dispose]()
    assert.throws(() => limiter.enter('Certificates/Issue', 'gateway'), { retryAfterMs: 2 })
  })

  test('methods without a row are not limited', () => {
    const limiter = createCallLimiter(new FakeClock())
    for (let call = 0; call < 10_000; call++) limiter.enter('Admin/GetStatus', 'operator')
  })
})
