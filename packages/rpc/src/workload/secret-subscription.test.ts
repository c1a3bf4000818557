import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import type { DeltaDiscoveryRequest__Output } from './generated/envoy/service/discovery/v3/DeltaDiscoveryRequest.ts'
import type { DiscoveryRequest__Output } from './generated/envoy/service/discovery/v3/DiscoveryRequest.ts'
import type { SecretState } from './messages.ts'
import { SECRET_TYPE } from './secret-codec.ts'
import { selectSecrets } from './secret-selection.ts'
import { createDeltaSubscription, createStateSubscription } from './secret-subscription.ts'
import { SECRETS } from './testing.ts'

const version = { majorNumber: 1, minorNumber: 40, patch: 0 }
const NODE = { id: 'n', cluster: '', userAgentName: 'envoy', userAgentBuildVersion: { version } } as const
const OLD_NODE = { ...NODE, userAgentBuildVersion: { version: { ...version, minorNumber: 17 } } }

function ask(given: Partial<DiscoveryRequest__Output> = {}): DiscoveryRequest__Output {
  const nothing = { versionInfo: '', typeUrl: SECRET_TYPE, responseNonce: '', errorDetail: null }
  return { ...nothing, resourceNames: [], node: NODE, ...given }
}

function askDelta(given: Partial<DeltaDiscoveryRequest__Output> = {}): DeltaDiscoveryRequest__Output {
  const names = { resourceNamesSubscribe: [], resourceNamesUnsubscribe: [], initialResourceVersions: {} }
  return { typeUrl: SECRET_TYPE, responseNonce: '', errorDetail: null, node: NODE, ...names, ...given }
}

function rotated(state: SecretState = SECRETS): SecretState {
  return { ...state, svids: state.svids.map((svid, index) => (index === 0 ? { ...svid, chain: 'rotated' } : svid)) }
}

const namesOf = (state: SecretState, names: readonly string[], spiffeValidator = true): string[] =>
  selectSecrets(state, names, { spiffeValidator }).secrets.map(({ name }) => name)

suite('names', () => {
  test('default, ROOTCA, ALL, SPIFFE IDs and trust domains; without a name all that have one of their own', () => {
    for (const name of ['default', 'ROOTCA', 'ALL', 'spiffe://bank.test/ledger', 'spiffe://partner.test']) {
      assert.deepEqual(namesOf(SECRETS, [name]), [name])
    }
    const all = [
      'spiffe://bank.test',
      'spiffe://partner.test',
      'spiffe://bank.test/payments',
      'spiffe://bank.test/ledger',
    ]
    assert.deepEqual(namesOf(SECRETS, []), all)
  })

  test('the SPIFFE validator keeps trust domains apart; an Envoy that does not know it has no ALL', () => {
    const contentOf = (name: string, spiffeValidator: boolean): string =>
      selectSecrets(SECRETS, [name], { spiffeValidator }).secrets[0]!.any.value.toString('latin1')
    assert.match(contentOf('ALL', true), /cert_validator\.spiffe.*bank\.test.*bank.*partner\.test.*partner/s)
    assert.match(contentOf('ROOTCA', true), /cert_validator\.spiffe.*bank\.test/s)
    assert.doesNotMatch(contentOf('ROOTCA', true), /partner/)
    assert.doesNotMatch(contentOf('ROOTCA', false), /cert_validator/)
    assert.deepEqual(namesOf(SECRETS, ['ALL'], false), [])
  })
})

suite('state of the world', () => {
  function open() {
    const refusals: string[] = []
    return { refusals, ...createStateSubscription({ refused: (message) => refusals.push(message) }) }
  }

  test('answers a subscription, not its acknowledgement, and each change once', () => {
    const { accept, next } = open()
    assert.equal(next(SECRETS), undefined, 'nobody has asked')
    accept(ask({ resourceNames: ['default'] }))
    const first = next(SECRETS)
    assert.equal(first?.resources?.length, 1)
    accept(ask({ resourceNames: ['default'], versionInfo: first.versionInfo!, responseNonce: first.nonce! }))
    assert.equal(next(SECRETS), undefined)
    const second = next(rotated())
    assert.notEqual(second?.versionInfo, first.versionInfo)
    assert.notEqual(second?.nonce, first.nonce)
    assert.equal(next(rotated()), undefined)
    assert.deepEqual(next(SECRETS)?.versionInfo, first.versionInfo, 'a version is made of the content')
  })

  test('a change of names is answered, a request that a response has overtaken is not', () => {
    const { accept, next } = open()
    accept(ask({ resourceNames: ['default'] }))
    const first = next(SECRETS)
    next(rotated())
    accept(ask({ resourceNames: ['ROOTCA'], responseNonce: first!.nonce! }))
    assert.equal(next(rotated()), undefined)
    accept(ask({ resourceNames: ['ROOTCA', 'default'], responseNonce: '2' }))
    assert.equal(next(rotated())?.resources?.length, 2)
  })

  test('what Envoy refuses is told once and not sent again until it changes', () => {
    const { accept, next, refusals } = open()
    accept(ask({ resourceNames: ['default'] }))
    const { nonce } = next(SECRETS)!
    accept(ask({ resourceNames: ['default'], responseNonce: nonce!, errorDetail: { code: 13, message: 'bad key' } }))
    assert.deepEqual(refusals, ['bad key'])
    assert.equal(next(SECRETS), undefined)
    assert.ok(next(rotated()))
  })

  test('one name that nobody has refuses the request, as SPIRE does', () => {
    const { accept, next } = open()
    accept(ask({ resourceNames: ['default', 'spiffe://bank.test/other'] }))
    assert.throws(() => next(SECRETS), {
      code: 'ERR_RPC_INVALID',
      message: /not authorized for the requested identities "spiffe:\/\/bank.test\/other"/,
    })
  })

  test('the node is told once: what it can do holds for the stream', () => {
    const { accept, next } = open()
    accept(ask({ resourceNames: ['ROOTCA'], node: OLD_NODE }))
    const plain = next(SECRETS)!
    accept(ask({ resourceNames: ['ROOTCA', 'default'], node: null, responseNonce: plain.nonce! }))
    assert.equal(next(SECRETS)?.resources?.length, 2)
    accept(ask({ resourceNames: ['ALL'], node: NODE, responseNonce: '2' }))
    assert.throws(() => next(SECRETS), { code: 'ERR_RPC_INVALID' })
  })

  const BAD: readonly (readonly [string, Partial<DiscoveryRequest__Output>])[] = [
    ['another type', { typeUrl: 'type.googleapis.com/envoy.config.cluster.v3.Cluster' }],
    ['257 names', { resourceNames: Array.from({ length: 257 }, String) }],
  ]
  for (const [what, given] of BAD) {
    test(`${what} is refused`, () => assert.throws(() => open().accept(ask(given)), { code: 'ERR_RPC_INVALID' }))
  }
})

suite('incremental', () => {
  const open = () => createDeltaSubscription({ refused: () => {} })
  const shape = (response: ReturnType<ReturnType<typeof open>['next']>) =>
    response && [response.resources!.map(({ name }) => name), response.removedResources]

  test('sends what changed, by name', () => {
    const { accept, next } = open()
    assert.equal(next(SECRETS), undefined)
    accept(askDelta({ resourceNamesSubscribe: ['default', 'ROOTCA'] }))
    assert.deepEqual(shape(next(SECRETS)), [['default', 'ROOTCA'], []])
    accept(askDelta({ responseNonce: '1' }))
    assert.equal(next(SECRETS), undefined)
    assert.deepEqual(shape(next(rotated())), [['default'], []])
    accept(askDelta({ resourceNamesUnsubscribe: ['default'] }))
    assert.equal(next(SECRETS), undefined)
  })

  test('a name that nobody has is told once, and given when it comes', () => {
    const { accept, next } = open()
    accept(askDelta({ resourceNamesSubscribe: ['spiffe://bank.test/new'] }))
    assert.deepEqual(shape(next(SECRETS)), [[], ['spiffe://bank.test/new']])
    assert.equal(next(SECRETS), undefined)
    const more = { ...SECRETS, svids: [...SECRETS.svids, { spiffeId: 'spiffe://bank.test/new', chain: 'c', key: 'k' }] }
    assert.deepEqual(shape(next(more)), [['spiffe://bank.test/new'], []])
    assert.deepEqual(shape(next(SECRETS)), [[], ['spiffe://bank.test/new']])
  })

  test('who comes back with what it holds is sent the rest', () => {
    const before = open()
    before.accept(askDelta({ resourceNamesSubscribe: ['default', 'ROOTCA'] }))
    const held = Object.fromEntries(before.next(SECRETS)!.resources!.map(({ name, version }) => [name!, version!]))
    const { accept, next } = open()
    accept(askDelta({ resourceNamesSubscribe: ['default', 'ROOTCA'], initialResourceVersions: held }))
    assert.deepEqual(shape(next(rotated())), [['default'], []])
  })

  test('without a name everything is subscribed to', () => {
    const { accept, next } = open()
    accept(askDelta())
    assert.equal(next(SECRETS)?.resources?.length, 4)
    assert.deepEqual(shape(next({ ...SECRETS, svids: [] })), [[], SECRETS.svids.map(({ spiffeId }) => spiffeId)])
  })

  test('too many names over several messages are refused', () => {
    const { accept } = open()
    accept(askDelta({ resourceNamesSubscribe: Array.from({ length: 200 }, (_, index) => `a${index}`) }))
    const more = askDelta({ resourceNamesSubscribe: Array.from({ length: 200 }, (_, index) => `b${index}`) })
    assert.throws(() => accept(more), { code: 'ERR_RPC_INVALID' })
  })

  test('whatever is asked in whatever order, Envoy ends with the newest of what it asked for', () => {
    const NAMES = ['default', 'ROOTCA', 'spiffe://bank.test/ledger', 'nobody']
    const step = fc.record({
      add: fc.subarray(NAMES),
      drop: fc.subarray(NAMES),
      state: fc.constantFrom<SecretState>(SECRETS, rotated(), { ...SECRETS, svids: [] }),
    })
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
        const { accept, next } = open()
        const asked = new Set<string>()
        const held = new Map<string, string>()
        accept(askDelta({ resourceNamesSubscribe: ['default'] }))
        asked.add('default')
        for (const { add, drop, state } of steps) {
          accept(askDelta({ resourceNamesSubscribe: add, resourceNamesUnsubscribe: drop }))
          for (const name of add) asked.add(name)
          for (const name of drop) {
            asked.delete(name)
            held.delete(name)
          }
          const response = next(state)
          for (const { name, version: of } of response?.resources ?? []) held.set(name!, of!)
          for (const name of response?.removedResources ?? []) held.delete(name)
          const wanted = asked.size > 0 ? selectSecrets(state, [...asked], { spiffeValidator: true }).secrets : []
          assert.deepEqual(
            Object.fromEntries(held),
            Object.fromEntries(wanted.map((secret) => [secret.name, secret.version])),
          )
        }
      }),
    )
  })
})
