import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { parseEndpoints } from '@picket/rpc'
import { formatHostPort, silentLogger } from '@picket/runtime'
import { FakeClock } from '@picket/runtime/testing'
import { createEndpointRegistry, type EndpointRegistry, type KnownEndpoint } from './endpoints.ts'
import { openTestStore } from '../testing.ts'

const HOUR_MS = 3_600_000
/** Changes are gathered for no longer. */
const MOMENT_MS = 25

function endpoint(clock: FakeClock, instanceId: string, port: number, service = 'payments'): KnownEndpoint {
  const address = `127.0.0.1:${port}`
  return { spiffeId: `spiffe://bank.test/${service}`, instanceId, service, address, expiresAtMs: clock.now() + HOUR_MS }
}

/** `payments 127.0.0.1:1 127.0.0.1:2`, a line per service. */
function shown(registry: EndpointRegistry): string[] {
  const { services } = parseEndpoints(registry.resource.value.bytes)
  return services.map(({ name, addresses }) => [name, ...addresses.map(formatHostPort)].join(' '))
}

async function inRegistry(
  body: (registry: EndpointRegistry, clock: FakeClock, restart: () => Promise<EndpointRegistry>) => Promise<void>,
): Promise<void> {
  await using store = openTestStore()
  const clock = new FakeClock()
  const open = (): Promise<EndpointRegistry> => createEndpointRegistry({ store, clock, logger: silentLogger })
  await body(await open(), clock, open)
}

suite('endpoints', () => {
  test('are the addresses of connected sidecars, by service', () =>
    inRegistry(async (registry, clock) => {
      registry.connected(endpoint(clock, 'two', 2))
      registry.connected(endpoint(clock, 'one', 1))
      registry.connected(endpoint(clock, 'one', 9, 'ledger'))
      await clock.advance(MOMENT_MS)
      assert.deepEqual(shown(registry), ['ledger 127.0.0.1:9', 'payments 127.0.0.1:1 127.0.0.1:2'])
    }))

  test('have the same revision for the same facts, in whatever order they came', () =>
    inRegistry(async (first, clock) =>
      inRegistry(async (second, other) => {
        const one = endpoint(clock, 'one', 1)
        const two = endpoint(clock, 'two', 2)
        for (const known of [one, two]) first.connected(known)
        for (const known of [two, one, two]) second.connected(known)
        for (const time of [clock, other]) await time.advance(MOMENT_MS)
        assert.equal(first.resource.value.revision, second.resource.value.revision)
        const before = first.resource.value
        first.connected({ ...one, expiresAtMs: one.expiresAtMs + 1 })
        await clock.advance(MOMENT_MS)
        assert.equal(first.resource.value, before)
      }),
    ))

  test('leave a short grace after their sidecar did, when another serves', () =>
    inRegistry(async (registry, clock) => {
      const gone = endpoint(clock, 'one', 1)
      registry.connected(gone)
      registry.connected(endpoint(clock, 'two', 2))
      await clock.advance(MOMENT_MS)
      registry.disconnected(gone)
      await clock.advance(9999)
      assert.deepEqual(shown(registry), ['payments 127.0.0.1:1 127.0.0.1:2'])
      await clock.advance(1)
      assert.deepEqual(shown(registry), ['payments 127.0.0.1:2'])
    }))

  test('stay when the sidecar comes back within the grace', () =>
    inRegistry(async (registry, clock) => {
      const known = endpoint(clock, 'one', 1)
      for (const other of [known, endpoint(clock, 'two', 2)]) registry.connected(other)
      await clock.advance(MOMENT_MS)
      const before = registry.resource.value
      registry.disconnected(known)
      await clock.advance(5000)
      registry.connected(known)
      await clock.advance(60_000)
      assert.equal(registry.resource.value, before)
    }))

  test('keep the last address of a service until its SVID has expired', () =>
    inRegistry(async (registry, clock) => {
      const last = endpoint(clock, 'one', 1)
      registry.connected(last)
      await clock.advance(MOMENT_MS)
      registry.disconnected(last)
      await clock.advance(HOUR_MS - MOMENT_MS - 1)
      assert.deepEqual(shown(registry), ['payments 127.0.0.1:1'])
      await clock.advance(1)
      assert.deepEqual(shown(registry), [])
    }))

  test('of a thousand sidecars that join in one moment are one change', () =>
    inRegistry(async (registry, clock) => {
      let changes = 0
      using _subscription = registry.resource.subscribe(() => (changes += 1))
      for (let port = 1; port <= 1000; port++) registry.connected(endpoint(clock, String(port), port))
      await clock.advance(MOMENT_MS)
      assert.equal(changes, 1)
    }))

  test('of one that comes and goes under ever new names are no more than so many', () =>
    inRegistry(async (registry, clock, restart) => {
      const other = endpoint(clock, 'one', 1, 'ledger')
      registry.connected(other)
      registry.disconnected(other)
      for (let port = 1; port <= 1200; port++) {
        const known = endpoint(clock, String(port), port)
        registry.connected(known)
        registry.disconnected(known)
      }
      await clock.advance(MOMENT_MS)
      const counts = (of: EndpointRegistry): number[] => shown(of).map((line) => line.split(' ').length - 1)
      assert.deepEqual(counts(registry), [1, 1000])
      assert.deepEqual(counts(await restart()), [1, 1000])
      assert.ok(!shown(registry)[1]!.includes(':200 ') && shown(registry)[1]!.includes(':1200'), 'the newest')
    }))

  test('go at once when the identity does', () =>
    inRegistry(async (registry, clock, restart) => {
      const known = endpoint(clock, 'one', 1)
      registry.connected(known)
      registry.withdrawn(known)
      assert.deepEqual(shown(registry), [])
      assert.deepEqual(shown(await restart()), [])
    }))

  test('are still known after a restart, and those that do not come back leave when others have', () =>
    inRegistry(async (registry, clock, restart) => {
      registry.connected(endpoint(clock, 'one', 1))
      registry.connected(endpoint(clock, 'two', 2))
      await clock.advance(MOMENT_MS)
      const restarted = await restart()
      assert.equal(restarted.resource.value.revision, registry.resource.value.revision)
      restarted.connected(endpoint(clock, 'two', 2))
      await clock.advance(59_999)
      assert.deepEqual(shown(restarted), ['payments 127.0.0.1:1 127.0.0.1:2'])
      await clock.advance(1)
      assert.deepEqual(shown(restarted), ['payments 127.0.0.1:2'])
      assert.deepEqual(shown(await restart()), ['payments 127.0.0.1:2'])
    }))
})
