import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import type { TLSSocket } from 'node:tls'
import { suite, test } from 'node:test'
import { createTestAuthority } from '@picket/identity/testing'
import { verifyChain, type VerifiedPeer } from '@picket/mtls'
import { silentLogger } from '@picket/runtime'
import { FakeClock } from '@picket/runtime/testing'
import { LIMITS } from './limits.ts'
import { createPeerRegistry } from './peer-registry.ts'

class FakeSocket extends EventEmitter {
  readonly remoteAddress = '127.0.0.1'
  readonly remotePort: number
  destroyed = false

  constructor(port: number) {
    super()
    this.remotePort = port
  }

  destroy(): void {
    if (this.destroyed) return
    this.destroyed = true
    this.emit('close')
  }
}

const asSocket = (socket: FakeSocket): TLSSocket => socket as unknown as TLSSocket

function createPeer(path = '/payments'): VerifiedPeer {
  const authority = createTestAuthority('bank.test')
  const chain = authority.issueSvid(path).chain.map(({ der }) => der)
  const peer = verifyChain(chain, authority.bundles, new Date())
  assert.ok(peer.kind === 'verified')
  return peer
}

suite('the registry of connections', () => {
  test('knows who is behind an address while the connection lives', () => {
    const registry = createPeerRegistry({ clock: new FakeClock(), logger: silentLogger })
    const [peer, socket] = [createPeer(), new FakeSocket(1)]
    assert.ok(registry.enter(asSocket(socket), peer))
    assert.equal(registry.peerOf('127.0.0.1:1'), peer)
    assert.equal(registry.peerOf('127.0.0.1:2'), undefined)
    socket.destroy()
    assert.equal(registry.peerOf('127.0.0.1:1'), undefined)
  })

  test('does not forget a connection for the late end of an earlier one with its address', () => {
    const registry = createPeerRegistry({ clock: new FakeClock(), logger: silentLogger })
    const [peer, earlier, later] = [createPeer(), new FakeSocket(1), new FakeSocket(1)]
    registry.enter(asSocket(earlier), undefined)
    registry.enter(asSocket(later), peer)
    earlier.destroy()
    assert.equal(registry.peerOf('127.0.0.1:1'), peer)
  })

  test('ends connections without a certificate after a short life, and takes only so many', async () => {
    const clock = new FakeClock()
    const registry = createPeerRegistry({ clock, logger: silentLogger })
    const sockets = Array.from({ length: LIMITS.anonymousConnections }, (_, port) => new FakeSocket(port))
    assert.ok(sockets.every((socket) => registry.enter(asSocket(socket), undefined)))
    const oneMore = new FakeSocket(60_000)
    assert.equal(registry.enter(asSocket(oneMore), undefined), false)
    assert.ok(oneMore.destroyed)
    const known = new FakeSocket(60_001)
    assert.ok(registry.enter(asSocket(known), createPeer()))
    await clock.advance(LIMITS.anonymousLifeMs)
    assert.ok(sockets.every(({ destroyed }) => destroyed) && !known.destroyed)
    assert.ok(registry.enter(asSocket(new FakeSocket(60_002)), undefined))
  })

  test('takes only so many of one identity, so that there is room for the others', () => {
    const registry = createPeerRegistry({ clock: new FakeClock(), logger: silentLogger })
    const [peer, other] = [createPeer(), createPeer('/ledger')]
    const sockets = Array.from({ length: LIMITS.connectionsPerIdentity }, (_, port) => new FakeSocket(port))
    assert.ok(sockets.every((socket) => registry.enter(asSocket(socket), peer)))
    const oneMore = new FakeSocket(60_000)
    assert.equal(registry.enter(asSocket(oneMore), peer), false)
    assert.ok(oneMore.destroyed)
    assert.ok(registry.enter(asSocket(new FakeSocket(60_001)), other))
    sockets[0]!.destroy()
    assert.ok(registry.enter(asSocket(new FakeSocket(60_002)), peer))
  })

  test('tells when the last connection has closed', async () => {
    const registry = createPeerRegistry({ clock: new FakeClock(), logger: silentLogger })
    const socket = new FakeSocket(1)
    registry.enter(asSocket(socket), createPeer())
    const drained = registry.drain(new AbortController().signal)
    socket.destroy()
    assert.equal(await drained, 0)
  })
})
