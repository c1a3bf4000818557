import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  createBundleSource,
  createRevocationList,
  parseCsr,
  type RevocationSubject,
  type SpiffeId,
  type X509Svid,
} from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { RpcError, type IdentityRecord } from '@picket/rpc'
import { createMetrics, createWatch } from '@picket/runtime'
import { createFakeRandom, createRecordingLogger, FakeClock, settle } from '@picket/runtime/testing'
import { createIdentities } from './identities.ts'

const HOUR_MS = 3_600_000

/** Identities over an authority that signs for whoever is asked for. */
function setUp() {
  const clock = new FakeClock()
  const authority = createTestAuthority('bank.test', { clock })
  const asked: string[] = []
  const state = { door: Promise.resolve(), refusal: undefined as RpcError | undefined, saves: 0 }
  const issuer = (name: string) => ({
    async issue(der: Buffer): Promise<readonly Buffer[]> {
      const { publicKey, requestedId } = parseCsr(der)
      asked.push(`${name} ${requestedId!.path}`)
      await state.door
      if (state.refusal) throw state.refusal
      const options = { notAfter: new Date(clock.now() + HOUR_MS), keyPair: { ...authority.keyPair, publicKey } }
      return authority.issueSvid(requestedId!.path, options).chain.map((certificate) => certificate.der)
    },
  })
  const issue = (path: string): X509Svid =>
    authority.issueSvid(path, { notBefore: new Date(clock.now()), notAfter: new Date(clock.now() + HOUR_MS) })
  const entitled = createWatch<readonly IdentityRecord[]>([])
  const svid = createWatch(issue('/payments'))
  const deps = {
    clock,
    random: createFakeRandom(0.5),
    logger: createRecordingLogger(),
    metrics: createMetrics(),
    bundles: createWatch(authority.bundles),
    issuer: issuer('default'),
    furtherIssuer: issuer('further'),
    entitled,
    changed: () => void (state.saves += 1),
  }
  const identities = createIdentities(deps, { svid, further: [] })
  const stop = new AbortController()
  const running = identities.run(stop.signal)
  return {
    clock,
    deps,
    issue,
    asked,
    state,
    entitled,
    svid,
    identities,
    paths: () => identities.identities.value.map((one) => one.svid.id.path),
    async [Symbol.asyncDispose]() {
      stop.abort()
      await running
    },
  }
}

const id = (path: string): SpiffeId => createTestAuthority('bank.test').issueSvid(path).id
const record = (path: string, change: Partial<IdentityRecord> = {}): IdentityRecord => ({
  spiffeId: id(path),
  hint: '',
  selectors: [],
  federatesWith: [],
  keyAlgorithm: 'ec-p256',
  ttlSeconds: 0,
  dnsNames: [],
  ...change,
})

test('before anything is pushed there is the svid held, for whoever may open the socket', async () => {
  await using t = setUp()
  assert.deepEqual(t.identities.identities.value, [{ svid: t.svid.value, hint: '', selectors: [], federatesWith: [] }])
})

test('an identity that is added is asked for at once, by the default one, and is there when it has an svid', async () => {
  await using t = setUp()
  t.entitled.set([record('/payments'), record('/ledger', { hint: 'books', selectors: ['unix:uid:7'] })])
  assert.deepEqual(t.paths(), ['/payments'])
  await t.clock.advance(0)
  assert.deepEqual(t.asked, ['further /ledger'])
  assert.deepEqual(t.paths(), ['/payments', '/ledger'])
  assert.deepEqual(t.identities.identities.value[1]?.selectors, ['unix:uid:7'])
  assert.equal(t.identities.svids.length, 2)
})

test('an identity that is withdrawn is gone at once, also while its svid is on its way', async () => {
  await using t = setUp()
  t.entitled.set([record('/payments'), record('/ledger'), record('/fraud')])
  await t.clock.advance(0)
  const door = Promise.withResolvers<void>()
  t.state.door = door.promise
  t.identities.rotateNow(0)
  await settle()
  t.entitled.set([record('/payments'), record('/fraud')])
  assert.deepEqual(t.paths(), ['/payments', '/fraud'])
  door.resolve()
  await settle()
  assert.deepEqual(t.paths(), ['/payments', '/fraud'])
})

test('an svid whose entry has other names, another life or another algorithm is renewed, and no other', async () => {
  await using t = setUp()
  const records = [record('/payments'), record('/ledger')]
  t.entitled.set(records)
  await t.clock.advance(0)
  t.asked.length = 0
  t.entitled.set([record('/payments'), record('/ledger', { dnsNames: ['ledger.test'] })])
  await t.clock.advance(250)
  assert.deepEqual(t.asked, ['further /ledger'])
  t.entitled.set([record('/payments', { keyAlgorithm: 'ed25519' }), record('/ledger', { dnsNames: ['ledger.test'] })])
  await t.clock.advance(250)
  assert.deepEqual(t.asked, ['further /ledger', 'default /payments'])
  assert.equal(t.svid.value.chain[0]?.keyAlgorithm, 'ed25519')
  t.entitled.set([...t.entitled.value])
  await t.clock.advance(1000)
  assert.equal(t.asked.length, 2)
})

test('an entry that changes while its svid is on its way is asked again', async () => {
  await using t = setUp()
  t.entitled.set([record('/payments')])
  const door = Promise.withResolvers<void>()
  t.state.door = door.promise
  t.identities.rotateNow(0)
  await settle()
  t.entitled.set([record('/payments', { ttlSeconds: 60 })])
  await t.clock.advance(1000)
  assert.deepEqual(t.asked, ['default /payments'])
  door.resolve()
  await settle()
  await t.clock.advance(250)
  assert.deepEqual(t.asked, ['default /payments', 'default /payments'])
})

test('another default identity: by its own svid where there is one, and the old one stays if it may', async () => {
  await using t = setUp()
  t.entitled.set([record('/payments'), record('/ledger')])
  await t.clock.advance(0)
  const ledger = t.identities.identities.value[1]?.svid
  t.entitled.set([record('/ledger'), record('/payments')])
  assert.equal(t.svid.value, ledger)
  assert.deepEqual(t.paths(), ['/ledger', '/payments'])
  t.entitled.set([record('/fraud')])
  await t.clock.advance(0)
  assert.deepEqual(t.paths(), ['/fraud'])
  assert.equal(t.asked.at(-1), 'default /fraud')
})

test('one SPIFFE ID for two kinds of processes is one svid, listed twice', async () => {
  await using t = setUp()
  const one = record('/ledger', { selectors: ['unix:uid:1'] })
  t.entitled.set([record('/payments'), one, { ...one, selectors: ['unix:uid:2'] }])
  await t.clock.advance(0)
  assert.deepEqual(t.asked, ['further /ledger'])
  assert.deepEqual(t.paths(), ['/payments', '/ledger', '/ledger'])
})

test('an order renews all of them, spread over the time given', async () => {
  await using t = setUp()
  t.entitled.set([record('/payments'), record('/ledger')])
  await t.clock.advance(0)
  t.asked.length = 0
  t.identities.rotateNow(200)
  t.identities.rotateNow(200)
  await t.clock.advance(99)
  assert.deepEqual(t.asked, [])
  await t.clock.advance(1)
  assert.deepEqual(
    t.asked.toSorted((a, b) => (a < b ? -1 : 1)),
    ['default /payments', 'further /ledger'],
  )
})

test('a refusal that says when to come back is obeyed', async () => {
  await using t = setUp()
  t.state.refusal = new RpcError('ERR_RPC_EXHAUSTED', 'later', { retryAfterMs: 4000 })
  t.identities.rotateNow(0)
  await settle()
  await t.clock.advance(5999)
  assert.equal(t.asked.length, 1)
  t.state.refusal = undefined
  await t.clock.advance(1)
  assert.equal(t.asked.length, 2)
  assert.equal(t.identities.rotations, 1)
})

test('an identity on the deny-list is not given to workloads, until it is taken off', async () => {
  await using t = setUp()
  t.entitled.set([record('/payments'), record('/ledger')])
  await t.clock.advance(0)
  const { bundles } = t.deps.bundles.value
  const deny = (subject: RevocationSubject): void =>
    t.deps.bundles.set(createBundleSource(bundles, createRevocationList([subject])))
  deny({ kind: 'spiffe-id', value: 'spiffe://bank.test/ledger' })
  assert.deepEqual(t.paths(), ['/payments'])
  deny({ kind: 'serial', value: t.svid.value.chain[0]!.serialNumber })
  assert.deepEqual(t.paths(), ['/ledger'])
  deny({ kind: 'authority-key', value: t.svid.value.chain[0]!.authorityKeyId! })
  assert.deepEqual(t.paths(), [])
  t.deps.bundles.set(createBundleSource(bundles))
  assert.deepEqual(t.paths(), ['/payments', '/ledger'])
})

test('nothing is given to workloads of a sidecar that is nobody any more, until it is somebody again', async () => {
  await using t = setUp()
  t.entitled.set([record('/payments'), record('/ledger')])
  await t.clock.advance(0)
  t.identities.withdraw()
  assert.deepEqual(t.paths(), [])
  t.entitled.set([record('/payments')])
  assert.deepEqual(t.paths(), ['/payments'])
})

test('what was held before a restart is not asked for again', async () => {
  await using t = setUp()
  const ledger = t.issue('/ledger')
  const entitled = createWatch([record('/payments'), record('/ledger')])
  const again = createIdentities({ ...t.deps, entitled }, { svid: t.svid, further: [ledger, t.issue('/fraud')] })
  assert.deepEqual(
    again.identities.value.map(({ svid }) => svid),
    [t.svid.value, ledger],
  )
})
