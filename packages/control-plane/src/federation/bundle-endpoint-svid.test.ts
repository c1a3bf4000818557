import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { encodeCertificatesPem, type TrustBundle, type X509Svid } from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { createWatch, type WatchSource } from '@picket/runtime'
import { FakeClock } from '@picket/runtime/testing'
import { followSvid, type EndpointProof } from './bundle-endpoint-svid.ts'

const clock = new FakeClock()
const [old, next] = [createTestAuthority('bank.test', { clock }), createTestAuthority('bank.test', { clock })]
const both: TrustBundle = {
  ...old.bundle,
  x509Authorities: [old.certificate, next.certificate],
  refreshHintSeconds: 100,
}

interface Bench extends Disposable {
  readonly clock: FakeClock
  readonly svid: WatchSource<X509Svid>
  readonly bundle: WatchSource<TrustBundle>
  readonly proof: EndpointProof
  shows(svid: X509Svid): boolean
}

function startBench(first = old.issueSvid('/endpoint')): Bench {
  const own = new FakeClock(new Date(clock.now()))
  const svid = createWatch(first)
  const bundle = createWatch(both)
  const proof = followSvid({ clock: own, svid, bundle })
  const shows = ({ chain }: X509Svid): boolean => proof.context.value.cert === encodeCertificatesPem(chain)
  return { clock: own, svid, bundle, proof, shows, [Symbol.dispose]: () => proof[Symbol.dispose]() }
}

suite('the SVID of the bundle endpoint', () => {
  test('is the newest while its authority stays', () => {
    using bench = startBench()
    const renewed = old.issueSvid('/endpoint')
    bench.svid.set(renewed)
    assert.ok(bench.shows(renewed))
    assert.deepEqual(bench.clock.pendingMs, [])
  })

  test('stays that of the old authority for three polls after a change, so that the new bundle can be fetched', async () => {
    using bench = startBench()
    const before = bench.svid.value
    const [first, second] = [next.issueSvid('/endpoint'), next.issueSvid('/endpoint')]
    bench.svid.set(first)
    assert.ok(bench.shows(before))
    await bench.clock.advance(200_000)
    bench.svid.set(second)
    await bench.clock.advance(99_999)
    assert.ok(bench.shows(before))
    await bench.clock.advance(1)
    assert.ok(bench.shows(second))
  })

  test('stays for a poll and a half when the old authority leaves the bundle, and no longer than it would have', async () => {
    const withdrawn = { ...both, x509Authorities: [next.certificate] }
    for (const [leavesAfterMs, shownAfterMs] of [
      [0, 150_000],
      [100_000, 250_000],
      [200_000, 300_000],
    ] as const) {
      using bench = startBench()
      const before = bench.svid.value
      const renewed = next.issueSvid('/endpoint')
      bench.svid.set(renewed)
      await bench.clock.advance(leavesAfterMs)
      bench.bundle.set(withdrawn)
      await bench.clock.advance(shownAfterMs - leavesAfterMs - 1)
      assert.ok(bench.shows(before), String(leavesAfterMs))
      await bench.clock.advance(1)
      assert.ok(bench.shows(renewed), String(leavesAfterMs))
    }
  })

  test('is never shown beyond its end', async () => {
    const notAfter = new Date(clock.now() + 180_000)
    using bench = startBench(old.issueSvid('/endpoint', { notAfter }))
    const renewed = next.issueSvid('/endpoint')
    bench.svid.set(renewed)
    await bench.clock.advance(120_000)
    assert.ok(bench.shows(renewed))
    using late = startBench(old.issueSvid('/endpoint', { notAfter: new Date(clock.now() + 59_000) }))
    late.svid.set(renewed)
    assert.ok(late.shows(renewed))
  })

  test('goes back without delay when the old authority signs again', () => {
    using bench = startBench()
    bench.svid.set(next.issueSvid('/endpoint'))
    const again = old.issueSvid('/endpoint')
    bench.svid.set(again)
    assert.ok(bench.shows(again))
    assert.deepEqual(bench.clock.pendingMs, [])
  })

  test('is left alone once nobody follows it', () => {
    const bench = startBench()
    const before = bench.svid.value
    bench.svid.set(next.issueSvid('/endpoint'))
    bench[Symbol.dispose]()
    assert.deepEqual(bench.clock.pendingMs, [])
    bench.svid.set(old.issueSvid('/endpoint'))
    assert.ok(bench.shows(before))
  })
})
