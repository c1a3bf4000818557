import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { createBundleSource, parseTrustBundle } from '@picket/identity'
import { RpcError, type Standing } from '@picket/rpc'
import { createWatch } from '@picket/runtime'
import { createRecordingLogger, FakeClock } from '@picket/runtime/testing'
import { createTestSource, TOKEN_LIFE_MS } from './testing-workload.ts'
import { identitiesOf, type WorkloadCaller } from './workload-caller.ts'
import { createWorkloadHandlers } from './workload-handlers.ts'
import type { WorkloadSource } from './workload-source.ts'

const anybody: WorkloadCaller = { facts: new Set(), passesSocket: true }
const never = new AbortController().signal

function setUp() {
  const clock = new FakeClock()
  const test = createTestSource(clock)
  const source = createWatch<WorkloadSource | undefined>(test.source)
  const handlers = createWorkloadHandlers({ clock, logger: createRecordingLogger(), source, lifetime: never })
  return { clock, ...test, present: source, handlers }
}

/** The state; a refusal is thrown. */
function stateOf<State>({ value }: Standing<State>): State {
  if (value instanceof RpcError) throw value
  return value
}

const DENIED = { code: 'ERR_RPC_DENIED' }
const INVALID = { code: 'ERR_RPC_INVALID' }
const UNAVAILABLE = { code: 'ERR_RPC_UNAVAILABLE' }

suite('X.509', () => {
  test('identities in their order, with chain, key, own bundle and hint', () => {
    const { handlers, identities, identity, authority, crl } = setUp()
    const [first, second] = [identity('/payments', { hint: 'internal' }), identity('/ledger')]
    identities.set([first, second])
    crl.set(Buffer.from('crl'))
    const { svids, crls, federatedBundles } = stateOf(handlers.x509Svids(anybody))
    assert.deepEqual(
      svids.map(({ spiffeId, hint }) => [spiffeId, hint]),
      [
        ['spiffe://bank.test/payments', 'internal'],
        ['spiffe://bank.test/ledger', ''],
      ],
    )
    assert.deepEqual(svids[0]?.chain, first.svid.chain[0]?.der)
    assert.deepEqual(svids[0]?.bundle, authority.certificate.der)
    assert.deepEqual(svids[0]?.key, first.svid.privateKey.reveal().export({ type: 'pkcs8', format: 'der' }))
    assert.deepEqual([crls, federatedBundles], [[Buffer.from('crl')], {}])
  })

  test('an intermediate follows its leaf', () => {
    const { handlers, identities, authority } = setUp()
    const svid = authority.issueAuthority().issueSvid('/payments')
    identities.set([{ svid, hint: '', selectors: [], federatesWith: [] }])
    const [entry] = stateOf(handlers.x509Svids(anybody)).svids
    assert.deepEqual(entry?.chain, Buffer.concat(svid.chain.map(({ der }) => der)))
  })

  test('a hint is unique and at most 1024 bytes: the first keeps it', () => {
    const { handlers, identities, identity } = setUp()
    const hints = ['a', 'a', '', '', 'x'.repeat(1024), 'y'.repeat(1025)]
    identities.set(hints.map((hint, index) => identity(`/w${index}`, { hint })))
    assert.deepEqual(
      stateOf(handlers.x509Svids(anybody)).svids.map(({ hint }) => hint),
      ['a', '', '', '', 'x'.repeat(1024), ''],
    )
  })

  test('federated bundles go to those whose entry names them; one that is missing holds nobody up', () => {
    const { handlers, identities, identity, partner, own } = setUp()
    identities.set([identity('/payments', { federatesWith: ['partner.test', 'absent.test', 'bank.test'] })])
    const { federatedBundles } = stateOf(handlers.x509Svids(anybody))
    assert.deepEqual(federatedBundles, { 'spiffe://partner.test': partner.certificate.der })
    const { bundles } = stateOf(handlers.x509Bundles(anybody))
    assert.deepEqual(Object.keys(bundles), ['spiffe://bank.test', 'spiffe://partner.test'])
    const secrets = stateOf(handlers.secrets(anybody))
    assert.deepEqual(
      secrets.bundles.map(({ trustDomain }) => trustDomain),
      ['spiffe://bank.test', 'spiffe://partner.test'],
    )
    const jwt = stateOf(handlers.jwtBundles(anybody)).bundles['spiffe://bank.test']!
    const keys = parseTrustBundle(jwt, own.trustDomain)
    assert.deepEqual([keys.x509Authorities, keys.jwtAuthorities.map(({ keyId }) => keyId)], [[], ['k1']])
  })

  test('changes are told: identities, bundles, list of revoked certificates', () => {
    const { handlers, identities, identity, bundles, own, crl } = setUp()
    let told = 0
    const standing = handlers.x509Svids(anybody)
    const subscription = standing.subscribe(() => (told += 1))
    assert.throws(() => stateOf(standing), DENIED)
    identities.set([identity('/payments')])
    bundles.set(createBundleSource([own]))
    crl.set(Buffer.from('crl'))
    assert.equal(told, 3)
    assert.equal(stateOf(standing).svids.length, 1)
    subscription[Symbol.dispose]()
    identities.set([])
    assert.equal(told, 3)
    assert.throws(() => stateOf(standing), DENIED)
  })

  test('while the sidecar starts, and when an SVID has expired, callers are told to come back', async () => {
    const { handlers, identities, identity, present, source, clock } = setUp()
    identities.set([identity('/payments')])
    present.set(undefined)
    assert.throws(() => stateOf(handlers.x509Svids(anybody)), UNAVAILABLE)
    await assert.rejects(handlers.fetchJwtSvids({ audience: ['a'], spiffeId: undefined }, anybody, never), UNAVAILABLE)
    await assert.rejects(handlers.validateJwtSvid({ audience: 'a', token: 't' }, anybody), UNAVAILABLE)
    present.set(source)
    stateOf(handlers.x509Svids(anybody))
    await clock.advance(3_600_000)
    assert.throws(() => stateOf(handlers.x509Svids(anybody)), UNAVAILABLE)
  })
})

suite('selectors', () => {
  const facts = new Set(['unix:uid:1000', 'unix:gid:1000', 'unix:path:/bin/app'])
  const { identity } = setUp()
  const paths = (selectors: readonly (readonly string[])[], caller: WorkloadCaller): string[] => {
    const identities = selectors.map((own, index) => identity(`/${index}`, { selectors: own }))
    return identitiesOf(identities, caller).map(({ svid }) => svid.id.path)
  }
  const ENTRIES = [[], ['unix:uid:1000'], ['unix:uid:1000', 'unix:gid:7'], ['service:x'], ['unix:uid:1', 'service:x']]

  test('those of type unix are ANDed, others have been judged elsewhere', () => {
    assert.deepEqual(paths(ENTRIES, { facts, passesSocket: true }), ['/0', '/1', '/3'])
  })

  test('without peer credentials an identity that names a process is nobody’s', () => {
    assert.deepEqual(paths(ENTRIES, anybody), ['/0', '/3'])
  })

  test('who could not open the socket gets only what names it', () => {
    assert.deepEqual(paths(ENTRIES, { facts, passesSocket: false }), ['/1'])
  })

  test('an identity that two entries give is given once', () => {
    const twice = [identity('/same', { selectors: ['unix:uid:1000'] }), identity('/same'), identity('/other')]
    const given = identitiesOf(twice, { facts, passesSocket: true })
    assert.deepEqual(given, [twice[0], twice[2]])
  })

  test('a fact more never takes an identity away, a selector more never gives one', () => {
    const selector = fc.constantFrom(...facts, 'unix:uid:1', 'unix:sha256:aa', 'service:x')
    fc.assert(
      fc.property(fc.array(selector), selector, fc.subarray([...facts]), (own, extra, some) => {
        const less = paths([own], { facts: new Set(some), passesSocket: true }).length
        assert.ok(paths([own], { facts, passesSocket: true }).length >= less)
        if (extra.startsWith('unix:') && own.some((one) => one.startsWith('unix:'))) {
          assert.ok(paths([[...own, extra]], { facts: new Set(some), passesSocket: true }).length <= less)
        }
      }),
    )
  })
})

suite('JWT-SVIDs', () => {
  test('one for each identity, or for the one that is named', async () => {
    const { handlers, identities, identity } = setUp()
    identities.set([identity('/payments', { hint: 'h' }), identity('/ledger')])
    const fetch = (spiffeId?: string) => handlers.fetchJwtSvids({ audience: ['a'], spiffeId }, anybody, never)
    assert.deepEqual(
      (await fetch()).map(({ spiffeId, hint }) => [spiffeId, hint]),
      [
        ['spiffe://bank.test/payments', 'h'],
        ['spiffe://bank.test/ledger', ''],
      ],
    )
    assert.equal((await fetch('spiffe://bank.test/ledger')).length, 1)
    await assert.rejects(fetch('spiffe://bank.test/other'), DENIED)
    await assert.rejects(fetch('spiffe://bank.test'), DENIED)
    identities.set([])
    await assert.rejects(fetch(), DENIED)
  })

  test('an identity that is for another process gives no token', async () => {
    const { handlers, identities, identity } = setUp()
    identities.set([identity('/payments'), identity('/admin', { selectors: ['unix:uid:0'] })])
    const admin = { audience: ['a'], spiffeId: 'spiffe://bank.test/admin' }
    await assert.rejects(handlers.fetchJwtSvids(admin, anybody, never), DENIED)
    const root = { facts: new Set(['unix:uid:0']), passesSocket: true }
    assert.equal((await handlers.fetchJwtSvids(admin, root, never)).length, 1)
  })

  test('a token is taken for its audience alone, and only from trust domains that the caller knows', async () => {
    const { handlers, identities, identity, clock } = setUp()
    identities.set([identity('/payments')])
    const [svid] = await handlers.fetchJwtSvids({ audience: ['a'], spiffeId: undefined }, anybody, never)
    const { token } = svid!
    const valid = await handlers.validateJwtSvid({ audience: 'a', token }, anybody)
    assert.equal(valid.spiffeId, 'spiffe://bank.test/payments')
    assert.equal(valid.claims['sub'], 'spiffe://bank.test/payments')
    await assert.rejects(handlers.validateJwtSvid({ audience: 'b', token }, anybody), INVALID)
    await assert.rejects(handlers.validateJwtSvid({ audience: 'a', token: `${token}x` }, anybody), INVALID)
    await assert.rejects(
      handlers.validateJwtSvid({ audience: 'a', token }, { facts: new Set(), passesSocket: false }),
      DENIED,
    )
    await clock.advance(TOKEN_LIFE_MS + 61_000)
    await assert.rejects(handlers.validateJwtSvid({ audience: 'a', token }, anybody), INVALID)
  })

  test('tokens are forgotten when the bundles change: a key may have been withdrawn', async () => {
    const { handlers, identities, identity, issued, bundles, own } = setUp()
    identities.set([identity('/payments')])
    const fetch = () => handlers.fetchJwtSvids({ audience: ['a'], spiffeId: undefined }, anybody, never)
    await fetch()
    await fetch()
    assert.equal(issued.length, 1)
    bundles.set(createBundleSource([own]))
    await fetch()
    assert.equal(issued.length, 2)
  })
})
