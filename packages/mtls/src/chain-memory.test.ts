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
  const memory = new ChainMemory(2)
  memory.remember([leaf, issuer])
  memory.remember([other, issuer])
  memory.remember([leaf, issuer])
  memory.remember([issuer, issuer])
  assert.equal(memory.complete([leaf]).length, 2)
  assert.equal(memory.complete([other]).length, 1)
  memory.remember([other])
  assert.equal(memory.complete([leaf]).length, 2)
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
