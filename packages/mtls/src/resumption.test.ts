import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  createBundleSource,
  createRevocationList,
  type BundleSource,
  type RevocationSubject,
  type X509Svid,
} from '@picket/identity'
import { createTestAuthority, type TestAuthority } from '@picket/identity/testing'
import { systemClock, type Clock } from '@picket/runtime'
import { createTestDialer, dial } from './testing-dialer.ts'
import { greet, GREETING, startTestListener } from './testing.ts'

/*
 * A session outlives what it was made with: OpenSSL resumes it with its old verdict. So whatever makes a peer a wrong one
 * must do so on resumed connections too, at both ends. The world changes here without a signal, so that sessions are
 * offered and resumed all the same; with the signal they would not even be.
 */
interface World {
  shiftMs: number
  bundles: BundleSource
}

const hour = 3_600_000
const revoking = (of: TestAuthority, subject: RevocationSubject): BundleSource =>
  createBundleSource([of.bundle], createRevocationList([subject]))

/** What happens between the full handshake and the resumed one, and what the peer is refused for then. */
const CHANGES: readonly (readonly [
  string,
  string,
  (world: World, authority: TestAuthority, peer: X509Svid) => void,
])[] = [
  ['has expired', 'expired', (world) => void (world.shiftMs = 2 * hour)],
  ['is of the future, the clock having been set back', 'not-yet-valid', (world) => void (world.shiftMs = -hour)],
  [
    'is of a trust domain that is trusted no more',
    'no-bundle',
    (world) => void (world.bundles = createTestAuthority('partner.test').bundles),
  ],
  [
    'is of an authority that has left the bundle',
    'unknown-authority',
    (world) => void (world.bundles = createTestAuthority('bank.test').bundles),
  ],
  [
    'has a SPIFFE ID on the deny-list',
    'revoked',
    (world, authority, { id }) => void (world.bundles = revoking(authority, { kind: 'spiffe-id', value: id.uri })),
  ],
  [
    'has a serial number on the deny-list',
    'revoked',
    (world, authority, { chain }) =>
      void (world.bundles = revoking(authority, { kind: 'serial', value: chain[0]!.serialNumber })),
  ],
  [
    'has an intermediate on the deny-list',
    'revoked',
    (world, authority, { chain }) =>
      void (world.bundles = revoking(authority, {
        kind: 'authority-key',
        value: chain[1]!.publicKeyInfo.keyId,
      })),
  ],
]

/** Bundles that change without anybody being told. */
const silently = (world: World): BundleSource => ({
  bundleFor: (domain) => world.bundles.bundleFor(domain),
  get revocations() {
    return world.bundles.revocations!
  },
})

for (const [what, code, change] of CHANGES) {
  test(`listener: a session is resumed and refused when the caller ${what}`, async () => {
    const authority = createTestAuthority('bank.test')
    const world: World = { shiftMs: 0, bundles: authority.bundles }
    const clock: Clock = { ...systemClock, now: () => systemClock.now() + world.shiftMs }
    await using server = await startTestListener({ authority, clock })
    server.bundles.set(silently(world))
    const svid = authority.issueAuthority().issueSvid('/payments')
    const { session } = await greet(server.address, svid)
    const good = await greet(server.address, svid, { session })
    assert.deepEqual([good.resumed, good.received], [true, GREETING])
    change(world, authority, svid)
    const bad = await greet(server.address, svid, { session })
    assert.deepEqual([bad.resumed, bad.received], [true, ''])
    assert.deepEqual(
      server.refusals.map((refusal) => refusal.code),
      [code],
    )
  })

  test(`dialer: a session is resumed and refused when the callee ${what}`, async () => {
    await using server = await startTestListener()
    const { authority } = server
    const svid = authority.issueAuthority().issueSvid('/server')
    server.svid.set(svid)
    const world: World = { shiftMs: 0, bundles: authority.bundles }
    const side = createTestDialer(authority, { bundles: silently(world) })
    using dialer = side.dialer
    await dial(dialer, server)
    change(world, authority, svid)
    side.shift.ms = world.shiftMs
    const { resumed, refusal } = await dial(dialer, server)
    assert.deepEqual([resumed, refusal?.code], [true, code])
  })
}

test('a change of the deny-list alone ends no session, and the peer on it is refused at once', async () => {
  await using server = await startTestListener()
  const { authority } = server
  const [good, bad] = [authority.issueSvid('/good'), authority.issueSvid('/bad')]
  const goodSession = (await greet(server.address, good)).session
  const badSession = (await greet(server.address, bad)).session
  server.bundles.set(revoking(authority, { kind: 'spiffe-id', value: bad.id.uri }))
  const again = await greet(server.address, good, { session: goodSession })
  assert.deepEqual([again.resumed, again.received], [true, GREETING])
  assert.equal((await greet(server.address, bad, { session: badSession })).received, '')
  assert.equal((await greet(server.address, bad)).received, '', 'not by a full handshake either')
  assert.deepEqual(
    server.refusals.map(({ code }) => code),
    ['revoked', 'revoked'],
  )
})

test('a dialer keeps its sessions through a change of the deny-list, and refuses a callee that is on it', async () => {
  await using server = await startTestListener()
  const { authority } = server
  const { dialer, bundles } = createTestDialer(authority)
  await dial(dialer, server)
  bundles.set(revoking(authority, { kind: 'spiffe-id', value: 'spiffe://bank.test/other' }))
  assert.equal((await dial(dialer, server)).resumed, true)
  bundles.set(revoking(authority, { kind: 'spiffe-id', value: 'spiffe://bank.test/server' }))
  assert.equal((await dial(dialer, server)).refusal?.code, 'revoked')
})

test('another bundle, or one that cannot be seen, drops the dialer’s sessions', async () => {
  await using server = await startTestListener()
  const { authority } = server
  const { dialer, bundles } = createTestDialer(authority)
  const nexts: BundleSource[] = [
    createBundleSource([{ ...authority.bundle }]),
    createBundleSource([authority.bundle, createTestAuthority('partner.test').bundle]),
    { bundleFor: () => authority.bundle },
    createBundleSource([authority.bundle]),
  ]
  for (const next of nexts) {
    await dial(dialer, server)
    bundles.set(next)
    assert.equal((await dial(dialer, server)).resumed, false)
  }
})
