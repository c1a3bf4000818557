import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTestAuthority } from '@picket/identity/testing'
import { verifyChain, type VerifiedPeer } from '@picket/mtls'
import { FakeClock } from '@picket/runtime/testing'
import { createConnections, type LiveConnection } from './connections.ts'

const clock = (): FakeClock => new FakeClock('2026-01-01T00:00:00Z')
const HOUR_MS = 3_600_000

class FakeConnection implements LiveConnection {
  readonly peer: VerifiedPeer
  busy = false
  readonly calls: string[] = []

  constructor(peer: VerifiedPeer) {
    this.peer = peer
  }

  drain(): void {
    this.calls.push('drain')
  }

  revoke(message: string): void {
    this.calls.push(`revoke: ${message}`)
  }

  destroy(): void {
    this.calls.push('destroy')
  }
}

function peerUntil(time: FakeClock, lifeMs: number, path = '/gateway'): VerifiedPeer {
  const authority = createTestAuthority('bank.test', {
    clock: time,
    notAfter: new Date(time.now() + 365 * 24 * HOUR_MS),
  })
  const { chain } = authority.issueSvid(path, { notAfter: new Date(time.now() + lifeMs) })
  const peer = verifyChain([chain[0]!.der], authority.bundles, new Date(time.now()))
  assert(peer.kind === 'verified')
  return peer
}

test('drains a connection ten seconds before its peer expires and destroys it then', async () => {
  const time = clock()
  const connections = createConnections(time)
  const connection = new FakeConnection(peerUntil(time, HOUR_MS))
  connections.track(connection)
  await time.advance(HOUR_MS - 10_001)
  assert.deepEqual(connection.calls, [])
  await time.advance(1)
  assert.deepEqual(connection.calls, ['drain'])
  await time.advance(9_999)
  assert.deepEqual(connection.calls, ['drain'])
  await time.advance(1)
  assert.deepEqual(connection.calls, ['drain', 'destroy'])
})

test('a short SVID keeps nine tenths of its time', async () => {
  const time = clock()
  const connections = createConnections(time)
  const connection = new FakeConnection(peerUntil(time, 20_000))
  connections.track(connection)
  await time.advance(17_999)
  assert.deepEqual(connection.calls, [])
  await time.advance(1)
  assert.deepEqual(connection.calls, ['drain'])
})

test('does not end an SVID of many weeks early, and attends to a later one that ends sooner', async () => {
  const time = clock()
  const connections = createConnections(time)
  const long = new FakeConnection(peerUntil(time, 40 * 24 * HOUR_MS))
  connections.track(long)
  const short = new FakeConnection(peerUntil(time, 5_000))
  connections.track(short)
  await time.advance(5_000)
  assert.deepEqual(short.calls, ['drain', 'destroy'])
  await time.advance(HOUR_MS)
  assert.deepEqual(long.calls, [])
})

test('a connection that closed is forgotten, and nothing keeps ticking', async () => {
  const time = clock()
  const connections = createConnections(time)
  const connection = new FakeConnection(peerUntil(time, HOUR_MS))
  connections.track(connection)[Symbol.dispose]()
  assert.equal(connections.size, 0)
  await time.advance(2 * HOUR_MS)
  assert.deepEqual(connection.calls, [])
  assert.deepEqual(time.pendingMs, [])
})

test('drains the connections of the peers that are picked', () => {
  const time = clock()
  const connections = createConnections(time)
  const [gateway, portal] = ['/gateway', '/portal'].map((path) => new FakeConnection(peerUntil(time, HOUR_MS, path)))
  connections.track(gateway!)
  connections.track(portal!)
  assert.equal(
    connections.drainWhere(({ id }) => id.path === '/portal'),
    1,
  )
  assert.deepEqual([gateway!.calls, portal!.calls], [[], ['drain']])
})

test('drain waits for the last connection, and drains those that come late', async () => {
  const time = clock()
  const connections = createConnections(time)
  const [first, late] = [0, 1].map(() => new FakeConnection(peerUntil(time, HOUR_MS)))
  const tracked = connections.track(first!)
  const drained = connections.drain(new AbortController().signal)
  const trackedLate = connections.track(late!)
  assert.deepEqual([first!.calls, late!.calls], [['drain'], ['drain']])
  tracked[Symbol.dispose]()
  trackedLate[Symbol.dispose]()
  assert.equal(await drained, 0)
})

test('drain gives up at its deadline and counts the exchanges that it cut off', async () => {
  const time = clock()
  const connections = createConnections(time)
  const [busy, idle] = [0, 1].map(() => new FakeConnection(peerUntil(time, HOUR_MS)))
  busy!.busy = true
  connections.track(busy!)
  connections.track(idle!)
  assert.equal(await connections.drain(AbortSignal.abort()), 1)
  assert.deepEqual(busy!.calls, ['drain', 'destroy'])
})

test('disposal destroys what is left', () => {
  const time = clock()
  const connections = createConnections(time)
  const connection = new FakeConnection(peerUntil(time, HOUR_MS))
  connections.track(connection)
  connections[Symbol.dispose]()
  assert.deepEqual(connection.calls, ['destroy'])
  assert.deepEqual(time.pendingMs, [])
})
