import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { methodDefinition } from './contract.ts'
import {
  RESOURCE_KINDS,
  type Ack,
  type Hello,
  type Nack,
  type Report,
  type ResourceRevision,
  type SyncPush,
  type SyncRequestMessage,
} from './messages.ts'
import { decodeSyncPush, decodeSyncRequest, encodeSyncPush, encodeSyncRequest } from './sync-codec.ts'

const definition = methodDefinition('Sync/Sync')

function readRequest(bytes: Buffer): SyncRequestMessage | undefined {
  return decodeSyncRequest(definition.requestDeserialize(bytes))
}

function throughWire(message: SyncRequestMessage): SyncRequestMessage | undefined {
  return readRequest(definition.requestSerialize(encodeSyncRequest(message)))
}

function pushThroughWire(push: SyncPush): SyncPush | undefined {
  const bytes = definition.responseSerialize(encodeSyncPush(push))
  return decodeSyncPush(definition.responseDeserialize(bytes))
}

const text = fc.string({ maxLength: 60 })
const kind = fc.constantFrom(...RESOURCE_KINDS)
const count = fc.nat({ max: Number.MAX_SAFE_INTEGER })

/** Records with a prototype, as object literals have it. */
function plain<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true })
}

const message: fc.Arbitrary<SyncRequestMessage> = fc.oneof(
  plain<Hello>({
    kind: fc.constant('hello'),
    instanceId: text,
    version: text,
    advertise: text,
    takesDeltas: fc.boolean(),
    held: fc.array(plain<ResourceRevision>({ kind, revision: text }), { maxLength: 4 }),
  }),
  plain<Ack>({ kind: fc.constant('ack'), resource: kind, revision: text }),
  plain<Nack>({ kind: fc.constant('nack'), resource: kind, revision: text, code: text, message: text }),
  plain<Report>({
    kind: fc.constant('report'),
    svidSerial: text,
    svidNotAfterMs: fc.integer({ min: -8.64e15, max: 8.64e15 }),
    keyExchangeGroup: text,
    ready: fc.boolean(),
    notReadyReasons: fc.array(text, { maxLength: 4 }),
    requestsAllowed: count,
    requestsDenied: count,
    svidRotations: count,
    authorityKeyIds: fc.array(text, { maxLength: 4 }),
    svidKeyAlgorithm: text,
  }),
)

const REPORT: Report = {
  kind: 'report',
  svidSerial: '',
  svidNotAfterMs: 0,
  keyExchangeGroup: '',
  ready: true,
  notReadyReasons: [],
  requestsAllowed: 0,
  requestsDenied: 0,
  svidRotations: 0,
  authorityKeyIds: [],
  svidKeyAlgorithm: 'ec-p256',
}

suite('sync messages', () => {
  test('what a sidecar says is read as it was said', () => {
    fc.assert(fc.property(message, (said) => assert.deepEqual(throughWire(said), said)))
  })

  test('what the control plane pushes is read as it was pushed', () => {
    const chunk = { kind: 'endpoints', revision: 'r', index: 1, count: 2, totalBytes: 7 } as const
    const push: SyncPush = {
      kind: 'chunk',
      chunk: { ...chunk, sha256: Buffer.alloc(32, 1), content: Buffer.from('x'), baseRevision: '' },
    }
    assert.deepEqual(pushThroughWire(push), push)
    assert.deepEqual(pushThroughWire({ kind: 'rotate-svid' }), { kind: 'rotate-svid' })
  })

  test('an over-long NACK text is cut by the sender, not refused by the reader', () => {
    const nack = { kind: 'nack', resource: 'policy-bundle', revision: 'r', code: 'ERR_X' } as const
    assert.deepEqual(throughWire({ ...nack, message: 'x'.repeat(5000) }), { ...nack, message: 'x'.repeat(1024) })
  })

  const refused: [string, SyncRequestMessage][] = [
    ['a long instance id', { kind: 'hello', instanceId: 'x'.repeat(257), version: '', advertise: '', held: [] }],
    ['a long revision', { kind: 'ack', resource: 'endpoints', revision: 'x'.repeat(257) }],
    ['a date beyond the end of time', { ...REPORT, svidNotAfterMs: 8.64e15 + 2 }],
    ['a long reason', { ...REPORT, notReadyReasons: ['x'.repeat(1025)] }],
    [
      'too many held revisions',
      {
        kind: 'hello',
        instanceId: '',
        version: '',
        advertise: '',
        held: Array.from({ length: 17 }, () => ({ kind: 'endpoints' as const, revision: '' })),
      },
    ],
  ]
  for (const [what, said] of refused) {
    test(`refuses ${what}`, () => assert.throws(() => throughWire(said), { code: 'ERR_RPC_INVALID' }))
  }

  test('what only a newer version knows is passed over', () => {
    assert.equal(decodeSyncRequest({ message: 'ack', ack: { kind: 77 as never, revision: 'r' } }), undefined)
    assert.equal(
      decodeSyncRequest({
        message: 'nack',
        nack: { kind: 'RESOURCE_KIND_UNSPECIFIED', revision: '', code: '', message: '' },
      }),
      undefined,
    )
    assert.equal(decodeSyncPush({}), undefined)
  })

  test('any bytes are a message, nothing, or refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        let wire: object
        try {
          wire = definition.requestDeserialize(Buffer.from(bytes))
        } catch {
          return
        }
        try {
          decodeSyncRequest(wire)
        } catch (thrown) {
          assert.equal((thrown as { code?: string }).code, 'ERR_RPC_INVALID')
        }
      }),
      { numRuns: 1000 },
    )
  })
})
