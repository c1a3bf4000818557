import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { RESOURCE_KINDS, type Hello, type Resource, type ResourceKindName } from '@picket/rpc'
import fc from 'fast-check'
import { nextResource, nextSyncState, toResourceStatus, type SyncEvent, type SyncState } from './sync-state.ts'

const resource = (revision: string, kind: ResourceKindName = 'endpoints'): Resource => {
  return { kind, revision, bytes: Buffer.from(revision) }
}
const hello = (held: Hello['held']): Hello => ({ kind: 'hello', instanceId: 'one', version: '', advertise: '', held })
const after = (...events: SyncEvent[]): SyncState => events.reduce(nextSyncState, new Map() as SyncState)
const sent = (revision: string): SyncEvent => ({ kind: 'sent', resource: resource(revision) })
const ack = (revision: string): SyncEvent => ({ kind: 'ack', resource: 'endpoints', revision })
const nack = (revision: string): SyncEvent => {
  return { kind: 'nack', resource: 'endpoints', revision, code: 'ERR_X', message: 'no' }
}

suite('what a sidecar has', () => {
  test('is what it says that it holds: nothing of that is sent again', () => {
    const state = after(hello([{ kind: 'endpoints', revision: 'r1' }]))
    assert.equal(nextResource(state, [resource('r1')]), undefined)
    assert.equal(nextResource(state, [resource('r1'), resource('p', 'policy-bundle')])?.kind, 'policy-bundle')
    assert.equal(nextResource(state, [resource('r2')])?.revision, 'r2')
  })

  test('is not what it refused, which is not sent again either', () => {
    const state = after(hello([{ kind: 'endpoints', revision: 'r1' }]), sent('r2'), nack('r2'))
    const expected = {
      kind: 'endpoints',
      sentRevision: 'r2',
      ackedRevision: 'r1',
      nackCode: 'ERR_X',
      nackMessage: 'no',
    }
    assert.deepEqual(toResourceStatus(state.get('endpoints')!), expected)
    assert.equal(nextResource(state, [resource('r2')]), undefined)
    assert.equal(nextResource(state, [resource('r3')])?.revision, 'r3')
  })

  test('is refused no longer once a later revision is sent or accepted', () => {
    assert.equal(after(sent('r1'), nack('r1'), sent('r2')).get('endpoints')?.nack, undefined)
    const { acked, nack: refusal } = after(sent('r1'), nack('r1'), ack('r1')).get('endpoints')!
    assert.deepEqual([acked, refusal], ['r1', undefined])
  })

  test('does not change by a late word about an older revision', () => {
    assert.equal(after(sent('r1'), sent('r2'), nack('r1')).get('endpoints')?.nack, undefined)
    assert.equal(after(sent('r1'), sent('r2'), nack('r2'), ack('r1')).get('endpoints')?.nack?.revision, 'r2')
  })

  test('is sent until it is all there, whatever the sidecar says in between', () => {
    const revision = fc.constantFrom('r1', 'r2', 'r3')
    const kind = fc.constantFrom(...RESOURCE_KINDS)
    const said = fc.oneof(
      fc.record({ kind: fc.constant('ack' as const), resource: kind, revision }),
      fc.record({ kind: fc.constant('nack' as const), resource: kind, revision, code: revision, message: revision }),
    )
    fc.assert(
      fc.property(fc.array(said), fc.array(said), (before, between) => {
        const wanted = RESOURCE_KINDS.map((name) => resource('r2', name))
        let state = after(...before)
        for (const event of [...between, ...wanted.map(() => undefined)]) {
          const next = nextResource(state, wanted)
          if (next) state = nextSyncState(state, { kind: 'sent', resource: next })
          if (event) state = nextSyncState(state, event)
        }
        assert.equal(nextResource(state, wanted), undefined)
      }),
    )
  })
})
