import assert from 'node:assert/strict'
import { beforeEach, suite, test } from 'node:test'
import { createFakeRandom, FakeClock } from '@picket/runtime/testing'
import { createBalancer, type Balancer } from './balancer.ts'

suite('the balancer', () => {
  let clock: FakeClock
  let balancer: Balancer<string>
  const pick = (): string | undefined => balancer.pick()?.value
  const members = (...names: string[]): Map<string, string> => new Map(names.map((name) => [name, name]))
  beforeEach(() => {
    clock = new FakeClock()
    balancer = createBalancer({ clock, random: createFakeRandom(1) })
  })

  test('has nothing to offer without endpoints', () => assert.equal(balancer.pick(), undefined))

  test('takes one endpoint after the other', () => {
    balancer.update(members('a', 'b', 'c'))
    assert.deepEqual([pick(), pick(), pick(), pick()], ['a', 'b', 'c', 'a'])
  })

  test('leaves out what failed, twice as long after each further failure', async () => {
    balancer.update(members('a', 'b'))
    balancer.pick()?.failed()
    assert.deepEqual([pick(), pick(), pick()], ['b', 'b', 'b'])
    await clock.advance(1000)
    const again = [balancer.pick(), balancer.pick()].find((endpoint) => endpoint?.value === 'a')
    again?.failed()
    await clock.advance(1999)
    assert.deepEqual([pick(), pick()], ['b', 'b'])
    await clock.advance(1)
    assert.deepEqual(new Set([pick(), pick()]), new Set(['a', 'b']))
  })

  test('tries the one whose time ends first when all are out', async () => {
    balancer.update(members('a', 'b'))
    balancer.pick()?.failed()
    await clock.advance(500)
    balancer.pick()?.failed()
    assert.deepEqual([pick(), pick()], ['a', 'a'])
  })

  test('forgets a failure after a success, and remembers it across an update that keeps the endpoint', () => {
    balancer.update(members('a', 'b'))
    const a = balancer.pick()
    a?.failed()
    balancer.update(members('a', 'b', 'c'))
    assert.equal([pick(), pick(), pick(), pick()].includes('a'), false)
    a?.succeeded()
    assert.equal([pick(), pick(), pick()].includes('a'), true)
  })
})
