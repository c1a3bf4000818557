import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { parseSpiffeId, type KeyAlgorithm, type TrustBundle } from '@picket/identity'
import {
  createReassembler,
  DELTA_REFUSED,
  encodeEndpoints,
  encodeRevocations,
  RESOURCE_BYTES,
  type Hello,
  type Resource,
  type ResourceChunk,
  type ResourceKindName,
  type SyncServerStream,
} from '@picket/rpc'
import { createWatch, silentLogger } from '@picket/runtime'
import type { RegistrationEntry } from '../registration/registration-entry.ts'
import { createResource } from '../resource.ts'
import { createSyncConnection } from './sync-connection.ts'
import { createSyncResources, type Standing } from './sync-resources.ts'

const PAYMENTS = parseSpiffeId('spiffe://bank.test/payments')
const entry = { spiffeId: PAYMENTS, service: 'payments', ttlSeconds: 0, dnsNames: [] } as unknown as RegistrationEntry
const identity = { entry, spiffeId: PAYMENTS, hint: '', selectors: [], federatesWith: [] }
const STANDING: Standing = { entry, identities: [identity], facts: [] }

function endpoints(count: number): Resource {
  const addresses = Array.from({ length: count }, (_, at) => ({ host: '10.0.0.1', port: at + 1 }))
  return createResource(
    'endpoints',
    encodeEndpoints({ services: [{ name: 'payments', spiffeId: PAYMENTS, addresses }] }),
  )
}

function revocations(count: number): Resource {
  const subjects = Array.from({ length: count }, (_, at) => ({
    kind: 'serial' as const,
    value: (0x10000 + at).toString(16).padStart(6, '0'),
  }))
  return createResource('revocations', encodeRevocations({ subjects, crl: undefined }))
}

/** A connection whose other end is in the test's hand. */
function setUp(takesDeltas = true) {
  const sources = {
    trustBundle: createWatch(createResource('trust-bundle', Buffer.from('{}'))),
    revocations: createWatch(revocations(0)),
    federation: createWatch<ReadonlyMap<string, TrustBundle>>(new Map()),
    svidAlgorithm: createWatch<KeyAlgorithm>('ec-p256'),
    endpoints: createWatch(endpoints(1000)),
    policy: createWatch<Resource | undefined>(undefined),
  }
  const resources = createSyncResources(sources, silentLogger)
  const connect = (held: Hello['held'] = []) => {
    const chunks: ResourceChunk[] = []
    const stream: SyncServerStream = {
      send: (push) => push.kind === 'chunk' && chunks.push(push.chunk) > 0,
      onDrain() {},
      onMessage() {},
      onEnd() {},
      end() {},
    }
    const hello: Hello = { kind: 'hello', instanceId: 'one', version: '', advertise: '', held, takesDeltas }
    const opening = { identity: { id: PAYMENTS, serialNumber: '01', notAfter: new Date(0) }, hello, standing: STANDING }
    const connection = createSyncConnection(stream, opening, resources)
    const subscription = resources.subscribe(() => connection.wake())
    connection.wake()
    return {
      chunks,
      subscription,
      connection,
      last: (kind: ResourceKindName) => chunks.findLast((chunk) => chunk.kind === kind)!,
      count: (kind: ResourceKindName) => chunks.filter((chunk) => chunk.kind === kind).length,
      ack: ({ kind: resource, revision }: Resource) => connection.receive({ kind: 'ack', resource, revision }),
      nack: ({ kind: resource, revision }: Resource, code: string) =>
        connection.receive({ kind: 'nack', resource, revision, code, message: '' }),
    }
  }
  return { sources, connect }
}

/** What a sidecar makes of a chunk when it holds `base`. */
function resolve(chunk: ResourceChunk, base: Resource): Buffer | undefined {
  const bases = { baseOf: () => base.bytes, mismatched: () => assert.fail('does not fit') }
  return createReassembler(RESOURCE_BYTES, bases).accept(chunk)?.bytes
}

suite('a connection', () => {
  test('gets the deny-list first, and everything once', () => {
    const { chunks } = setUp().connect()
    assert.deepEqual(
      chunks.map(({ kind }) => kind),
      ['revocations', 'trust-bundle', 'identities', 'federated-bundles', 'service-config', 'endpoints'],
    )
  })

  test('gets a small change as a delta to what it has acknowledged', () => {
    const { sources, connect } = setUp()
    const sidecar = connect()
    const before = sources.endpoints.value
    sidecar.ack(before)
    sources.endpoints.set(endpoints(1001))
    const chunk = sidecar.last('endpoints')
    assert.equal(chunk.baseRevision, before.revision)
    assert.ok(chunk.content.length < 100, `${chunk.content.length}`)
    assert.ok(resolve(chunk, before)?.equals(sources.endpoints.value.bytes))
  })

  test('waits with the next revision until the one under way is taken over, and then gets the newest only', () => {
    const { sources, connect } = setUp()
    const sidecar = connect()
    sidecar.ack(sources.endpoints.value)
    const second = endpoints(1001)
    for (const next of [second, endpoints(1002), endpoints(1003)]) sources.endpoints.set(next)
    assert.equal(sidecar.count('endpoints'), 2)
    sidecar.ack(second)
    assert.equal(sidecar.count('endpoints'), 3)
    assert.equal(sidecar.last('endpoints').baseRevision, second.revision)
    assert.equal(sidecar.last('endpoints').revision, sources.endpoints.value.revision)
  })

  test('does not wait with the deny-list: while one is under way the next comes whole', () => {
    const { sources, connect } = setUp()
    const sidecar = connect()
    sources.revocations.set(revocations(500))
    sources.revocations.set(revocations(501))
    assert.equal(sidecar.count('revocations'), 3)
    assert.equal(sidecar.last('revocations').baseRevision, '')
    sidecar.ack(sources.revocations.value)
    sources.revocations.set(revocations(502))
    assert.notEqual(sidecar.last('revocations').baseRevision, '')
  })

  test('gets the whole when the delta did not fit, and deltas again after that', () => {
    const { sources, connect } = setUp()
    const sidecar = connect()
    sidecar.ack(sources.endpoints.value)
    sources.endpoints.set(endpoints(1001))
    sidecar.nack(sources.endpoints.value, DELTA_REFUSED.code)
    assert.equal(sidecar.count('endpoints'), 3)
    const whole = sidecar.last('endpoints')
    assert.deepEqual([whole.baseRevision, whole.revision], ['', sources.endpoints.value.revision])
    assert.equal(sidecar.connection.state.get('endpoints')?.nack, undefined)
    sidecar.ack(sources.endpoints.value)
    sources.endpoints.set(endpoints(1002))
    assert.equal(sidecar.last('endpoints').baseRevision, whole.revision)
  })

  test('a revision that is refused for itself is not sent again, and its successor builds on the one before', () => {
    const { sources, connect } = setUp()
    const sidecar = connect()
    const good = sources.endpoints.value
    sidecar.ack(good)
    sources.endpoints.set(endpoints(1001))
    sidecar.nack(sources.endpoints.value, 'ERR_RPC_INVALID')
    assert.equal(sidecar.count('endpoints'), 2)
    sources.endpoints.set(endpoints(1002))
    assert.equal(sidecar.last('endpoints').baseRevision, good.revision)
  })

  test('that comes back with a revision that is still remembered gets a delta to it', () => {
    const { sources, connect } = setUp()
    const first = connect()
    const { kind, revision } = sources.endpoints.value
    sources.endpoints.set(endpoints(1001))
    first.subscription[Symbol.dispose]()
    assert.equal(connect([{ kind, revision }]).last('endpoints').baseRevision, revision)
    assert.equal(connect([{ kind, revision: 'unknown' }]).last('endpoints').baseRevision, '')
  })

  test('of a sidecar that takes no deltas gets none', () => {
    const { sources, connect } = setUp(false)
    const sidecar = connect()
    sidecar.ack(sources.endpoints.value)
    sources.endpoints.set(endpoints(1001))
    assert.equal(sidecar.last('endpoints').baseRevision, '')
  })
})
