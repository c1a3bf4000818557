import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ChainMemory } from './chain-memory.ts'
import { SessionCache } from './session-cache.ts'

const [leaf, issuer, other] = [Buffer.from('leaf'), Buffer.from('issuer'), Buffer.from('other')]

test('completes the very leaf that it saw, and nothing else', () => {
  const memory = new ChainMemory()
  memory.remember([leaf, issuer])
  assert.deepEqual(memory.complete([leaf]), [leaf, issuer])
  assert.deepEqual(memory.complete([other]), [other])
  assert.deepEqual(memory.complete([leaf, other]), [leaf, other])
  assert.deepEqual(memory.complete([]), [])
})

test('forgets the longest unseen chain beyond its limit', () => {
  const memory = new ChainMemory({ chains: 2 })
  memory.remember([leaf, issuer])
  memory.remember([other, issuer])
  memory.remember([leaf, issuer])
  memory.remember([issuer, issuer])
  assert.equal(memory.complete([leaf]).length, 2)
  assert.equal(memory.complete([other]).length, 1)
  memory.remember([other])
  assert.equal(memory.complete([leaf]).length, 2)
})

test('forgets the longest unseen chains beyond its limit of bytes, whatever a peer sends', () => {
  const memory = new ChainMemory({ bytes: 100 })
  const large = Buffer.alloc(60)
  memory.remember([leaf, issuer])
  memory.remember([other, large])
  assert.deepEqual([memory.complete([leaf]).length, memory.complete([other]).length], [2, 2])
  memory.remember([issuer, large])
  assert.deepEqual(
    [leaf, other, issuer].map((one) => memory.complete([one]).length),
    [1, 1, 2],
  )
  for (let again = 0; again < 9; again++) memory.remember([issuer, large])
  memory.remember([leaf, issuer])
  assert.equal(memory.complete([issuer]).length, 2, 'a chain counts once, however often it comes')
  memory.remember([other, Buffer.alloc(101)])
  assert.equal(memory.complete([other]).length, 1)
})

test('a session is used once, newest first, and none survives a clear', () => {
  const cache = new SessionCache({ perTarget: 2, targets: 2 })
  const session = (name: string) => ({ ticket: Buffer.from(name), chain: [] })
  const tickets = (key: string): string[] => {
    const taken: string[] = []
    for (let next = cache.take(key); next; next = cache.take(key)) taken.push(next.ticket.toString())
    return taken
  }
  for (const name of ['1', '2', '3']) cache.add('a', session(name), cache.generation)
  assert.deepEqual(tickets('a'), ['3', '2'])
  for (const key of ['a', 'b', 'c']) cache.add(key, session(key), cache.generation)
  assert.deepEqual([tickets('a'), tickets('b'), tickets('c')], [[], ['b'], ['c']])
  const before = cache.generation
  cache.add('a', session('4'), before)
  cache.clear()
  cache.add('a', session('5'), before)
  assert.deepEqual(tickets('a'), [])
})
