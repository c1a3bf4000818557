import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { parseSpiffeId, parseTrustDomain } from '@picket/identity'
import { MOST_IDENTITIES, type EntryDraft } from '@picket/rpc'
import { systemRandom } from '@picket/runtime'
import { createRecordingLogger, FakeClock } from '@picket/runtime/testing'
import type { Attested } from '../attestors/attestor.ts'
import { createDenials } from './denials.ts'
import { createEnrollment } from './enrollment.ts'
import { createEntries, type Entries } from './entries.ts'
import { explainIdentity } from './explanation.ts'
import type { Store } from '../store/store.ts'
import { openTestStore, TRUST_DOMAIN } from '../testing.ts'

interface Registry {
  readonly store: Store
  readonly clock: FakeClock
  readonly entries: Entries
  readonly enrollment: ReturnType<typeof createEnrollment>
  /** Registers `spiffe://bank.test` + `path` for the selectors. */
  readonly register: (path: string, selectors: readonly string[], change?: Partial<EntryDraft>) => Promise<string>
  /** The paths of all identities, the chosen one first, or the reason and what came near. */
  readonly enroll: (facts: readonly string[], wanted?: string) => Promise<readonly string[]>
}

const revoked = new Set<string>()

async function inRegistry(body: (registry: Registry) => Promise<void>): Promise<void> {
  await using store = openTestStore()
  const [clock, logger, random] = [new FakeClock(), createRecordingLogger(), systemRandom]
  const entries = createEntries({ store, clock, random, logger }, parseTrustDomain('bank.test'))
  const isRevoked = ({ uri }: { uri: string }): boolean => revoked.has(uri)
  const enrollment = createEnrollment({ store, trustDomain: TRUST_DOMAIN, clock, random, isRevoked })
  await body({
    store,
    clock,
    entries,
    enrollment,
    async register(path, selectors, change = {}) {
      const draft = { ttlSeconds: 0, dnsNames: [], hint: '', federatesWith: [], service: '', ...change }
      return (await entries.create({ ...draft, spiffeId: `spiffe://bank.test${path}`, selectors }, 'operator')).id
    },
    async enroll(facts, wanted) {
      const attested: Attested = { kind: 'attested', evidence: 'kubernetes', facts, subject: 'x' }
      const outcome = await enrollment.enroll(
        attested,
        wanted ? parseSpiffeId(`spiffe://bank.test${wanted}`) : undefined,
      )
      if (outcome.kind === 'enrolled') return outcome.identities.map(({ spiffeId }) => spiffeId.path)
      const near = (outcome.near ?? []).map(({ missing, problem }) => problem || `lacks ${missing.join(' ')}`)
      return [outcome.reason, ...near]
    },
  })
}

suite('what facts entitle to', () => {
  test('is every SPIFFE ID whose entry matches: the one wanted first, else that of most selectors, else the oldest', () =>
    inRegistry(async ({ register, enroll }) => {
      await register('/any', ['zone:core'])
      await register('/other', ['zone:core'])
      await register('/payments', ['zone:core', 'service:payments'])
      const facts = ['zone:core', 'service:payments']
      assert.deepEqual(await enroll(facts), ['/payments', '/any', '/other'])
      assert.deepEqual(await enroll(facts, '/other'), ['/other', '/payments', '/any'])
      assert.deepEqual(await enroll(facts, '/nobody'), ['requested-id'])
    }))

  test('is no more than a sidecar takes: the entry that is one too many is told', () =>
    inRegistry(async ({ store, clock, entries, enrollment }) => {
      const usual = { selectors: ['zone:core'], ttlSeconds: 0, dnsNames: [], hint: '', federatesWith: [], service: '' }
      const changes = Array.from({ length: MOST_IDENTITIES + 1 }, (_, at) => {
        return { kind: 'create', draft: { ...usual, spiffeId: `spiffe://bank.test/x${at}` } } as const
      })
      await entries.apply({ changes, expectedRevision: 0 }, 'operator')
      const facts = ['zone:core']
      assert.equal((await enrollment.identitiesOf({ facts })).length, MOST_IDENTITIES)
      const question = { spiffeId: '', facts }
      const deps = { store, clock, denials: createDenials(), trustDomain: TRUST_DOMAIN }
      const { entitled, near } = await explainIdentity(deps, question)
      assert.equal(entitled.length, MOST_IDENTITIES)
      assert.match(near[0]!.problem, /1000 entries/)
    }))

  test('is for local processes alone where the entry says so, and then never who the sidecar itself is', () =>
    inRegistry(async ({ register, enroll, enrollment }) => {
      await register('/root', ['zone:core', 'unix:uid:0'], { hint: 'root' })
      assert.deepEqual(await enroll(['zone:core']), [
        'no-entry',
        'it is for local processes alone (unix:uid:0): the sidecar needs an entry without unix selectors',
      ])
      await register('/usual', ['zone:core'])
      assert.deepEqual(await enroll(['zone:core']), ['/usual', '/root'])
      assert.equal((await enroll(['zone:core'], '/root'))[0], 'requested-id')
      const identities = await enrollment.identitiesOf({ facts: ['zone:core'] })
      const shown = identities.map(({ spiffeId, hint, selectors }) => [spiffeId.path, hint, selectors])
      assert.deepEqual(shown, [
        ['/root', 'root', ['unix:uid:0']],
        ['/usual', '', []],
      ])
    }))

  test('is confirmed by the entry that it was given for, and not by one for local processes', () =>
    inRegistry(async ({ store, clock, register, enrollment }) => {
      await register('/payments', ['zone:core', 'unix:uid:0'], { dnsNames: ['root.test'] })
      const own = await register('/payments', ['zone:core'])
      const attestation = { id: 'a', evidence: 'kubernetes', subject: 'x', facts: ['zone:core'] } as const
      await store.saveAttestation(attestation, clock.now())
      const id = parseSpiffeId('spiffe://bank.test/payments')
      const svid = { serialNumber: '01', spiffeId: id.uri, attestationId: 'a', issuedAtMs: clock.now() }
      await store.recordSvid({ ...svid, notAfterMs: clock.now() + 1000 })
      const confirmed = await enrollment.confirm(id, '01')
      assert.equal(confirmed.kind === 'enrolled' && confirmed.entry.id, own)
    }))

  test('is not for the holder of an SVID that is for local processes alone: only a sidecar asks for more', () =>
    inRegistry(async ({ store, clock, register, enrollment }) => {
      const ids = ['/usual', '/root', '/app'].map((path) => parseSpiffeId(`spiffe://bank.test${path}`))
      await register('/usual', ['zone:core'])
      await register('/root', ['zone:core', 'unix:uid:0'])
      await register('/app', ['zone:core', 'unix:uid:1000'])
      const attestation = { id: 'a', evidence: 'kubernetes', subject: 'x', facts: ['zone:core'] } as const
      await store.saveAttestation(attestation, clock.now())
      for (const [at, id] of ids.entries()) {
        const svid = { serialNumber: `0${at}`, spiffeId: id.uri, attestationId: 'a', issuedAtMs: clock.now() }
        await store.recordSvid({ ...svid, notAfterMs: clock.now() + 1000 })
      }
      const [usual, root, app] = ids
      const outcomes = [
        await enrollment.confirm(usual!, '00', root),
        await enrollment.confirm(app!, '02', root),
        await enrollment.confirm(app!, '02', usual),
        await enrollment.confirm(app!, '02'),
      ]
      const shown = outcomes.map((one) => (one.kind === 'enrolled' ? one.entry.spiffeId.path : one.reason))
      assert.deepEqual(shown, ['/root', 'requested-id', 'requested-id', 'requested-id'])
    }))

  test('does not grow by facts about local processes that somebody claims', () =>
    inRegistry(async ({ register, enroll }) => {
      await register('/root', ['zone:core', 'unix:uid:0'])
      assert.equal((await enroll(['zone:core', 'unix:uid:0']))[0], 'no-entry')
    }))

  test('comes out of templates, and a template that gives nothing is a near miss with its reason', () =>
    inRegistry(async ({ register, enroll }) => {
      await register('/ns/{k8s.ns}/sa/{k8s.sa}', ['k8s:cluster:east'])
      const cluster = 'k8s:cluster:east'
      assert.deepEqual(await enroll([cluster, 'k8s:ns:prod', 'k8s:sa:pay']), ['/ns/prod/sa/pay'])
      assert.match((await enroll([cluster, 'k8s:ns:prod']))[1]!, /\{k8s\.sa\} has no value/)
      assert.match((await enroll([cluster, 'k8s:ns:a', 'k8s:ns:b', 'k8s:sa:x']))[1]!, /2 values/)
      assert.match((await enroll([cluster, 'k8s:ns:prod', 'k8s:sa:a.b']))[1]!, /not a service name/)
    }))

  test('is never a reserved SPIFFE ID, whatever fills the template', () =>
    inRegistry(async ({ register, enroll }) => {
      await register('/{service}/operator', ['zone:core'], { service: '{service}' })
      assert.match((await enroll(['zone:core', 'service:picket']))[1]!, /under \/picket\//)
      assert.deepEqual(await enroll(['zone:core', 'service:bank']), ['/bank/operator'])
    }))

  test('is not the name of a service that an entry or a live SVID of another SPIFFE ID has', () =>
    inRegistry(async ({ store, clock, register, enroll }) => {
      await register('/{service}', ['zone:core'])
      await register('/team/{team}', ['zone:edge'], { service: '{team}' })
      await register('/fixed/payments', ['x:1'], { service: 'payments' })
      assert.match((await enroll(['zone:core', 'service:payments']))[1]!, /fixed\/payments is the service "payments"/)
      await store.saveAttestation({ id: 'a', evidence: 'kubernetes', subject: '', facts: [] }, 0)
      const notAfterMs = clock.now() + 1000
      const svid = { attestationId: 'a', issuedAtMs: clock.now(), notAfterMs, service: 'ledger' }
      await store.recordSvid({ ...svid, serialNumber: '01', spiffeId: 'spiffe://bank.test/ledger' })
      assert.deepEqual(await enroll(['zone:core', 'service:ledger']), ['/ledger'], 'its own')
      assert.match((await enroll(['zone:edge', 'team:ledger']))[1]!, /bank\.test\/ledger is the service "ledger"/)
      const thief = { ...svid, serialNumber: '02', spiffeId: 'spiffe://bank.test/team/ledger' }
      await assert.rejects(store.recordSvid(thief), { code: 'ERR_SERVICE_TAKEN' })
      await clock.advance(1000)
      assert.deepEqual(await enroll(['zone:edge', 'team:ledger']), ['/team/ledger'], 'it is free again')
    }))

  test('is nothing that is on the deny-list', () =>
    inRegistry(async ({ register, enroll }) => {
      await register('/payments', ['a:1'])
      revoked.add('spiffe://bank.test/payments')
      assert.deepEqual(await enroll(['a:1']), ['revoked'])
      revoked.clear()
      assert.deepEqual(await enroll(['a:1']), ['/payments'])
    }))
})

suite('an explanation', () => {
  const ask = (spiffeId: string, facts: readonly string[] = []): { spiffeId: string; facts: readonly string[] } => ({
    spiffeId,
    facts,
  })

  test('measures the entries of a SPIFFE ID against what was proved by whoever was refused it', () =>
    inRegistry(async ({ store, clock, register, enrollment }) => {
      const denials = createDenials()
      const deps = { store, clock, denials, trustDomain: TRUST_DOMAIN }
      await register('/ns/{k8s.ns}', ['k8s:cluster:east', 'k8s:node-name:a'])
      const facts = ['k8s:cluster:east', 'k8s:ns:prod']
      const refused = await enrollment.enroll(
        { kind: 'attested', evidence: 'kubernetes', facts, subject: 'x' },
        undefined,
      )
      assert.ok(refused.kind === 'denied')
      const common = {
        spiffeId: '',
        remote: '10.0.0.1:5',
        evidence: 'kubernetes',
        message: '',
        facts,
        near: refused.near!,
      }
      denials.record({ ...common, atMs: clock.now(), reason: 'no-entry' })
      const { near, denials: shown } = await explainIdentity(deps, ask('spiffe://bank.test/ns/prod'))
      assert.deepEqual(
        near.map(({ matched, missing }) => [matched, missing]),
        [[['k8s:cluster:east'], ['k8s:node-name:a']]],
      )
      assert.equal(shown.length, 1)
      assert.deepEqual((await explainIdentity(deps, ask('spiffe://bank.test/other'))).denials, [])
      assert.equal((await explainIdentity(deps, ask('', ['k8s:ns:prod']))).denials.length, 1)
      for (const question of [ask('x'), ask('', ['x']), ask('spiffe://bank.test/a', ['a:1'])]) {
        await assert.rejects(explainIdentity(deps, question), { code: 'ERR_ENTRY_INVALID' })
      }
    }))

  test('guesses what was meant where no entry came near', () =>
    inRegistry(async ({ store, clock, register }) => {
      const denials = createDenials()
      const deps = { store, clock, denials, trustDomain: TRUST_DOMAIN }
      await register('/payments', ['service:payments', 'zone:core'])
      await register('/ledger', ['service:ledger'])
      const guessed = async (fact: string): Promise<unknown[]> =>
        (await explainIdentity(deps, ask('', [fact]))).near.map(({ spiffeId, missing }) => [spiffeId, missing])
      const payments = ['spiffe://bank.test/payments', ['service:payments', 'zone:core']]
      assert.deepEqual(await guessed('service:paymets'), [payments])
      assert.deepEqual(await guessed('service:fraud-detection'), [])
      assert.deepEqual(await guessed('servic:payments'), [], 'another type is another fact')
      assert.deepEqual(await guessed(`service:payment${'s'.repeat(200)}`), [])
      const refused = { spiffeId: '', remote: '10.0.0.1:5', evidence: 'join-token', reason: 'no-entry', message: '' }
      denials.record({ ...refused, atMs: clock.now(), facts: ['service:leger'], near: [] })
      const { denials: shown } = await explainIdentity(deps, ask(''))
      assert.deepEqual(
        shown.map(({ near }) => near.map(({ spiffeId, problem }) => [spiffeId, problem !== ''])),
        [[['spiffe://bank.test/ledger', true]]],
      )
    }))

  test('remembers a bounded number of refusals, and one that is repeated once', () => {
    const denials = createDenials()
    const denial = (spiffeId: string, port: number, atMs: number): Parameters<typeof denials.record>[0] => {
      return {
        atMs,
        spiffeId,
        remote: `10.0.0.1:${port}`,
        evidence: 'svid',
        reason: 'r',
        message: '',
        facts: [],
        near: [],
      }
    }
    for (let n = 0; n < 5; n++) denials.record(denial('a', n, n))
    assert.deepEqual(
      denials.newest(9).map(({ atMs }) => atMs),
      [4],
    )
    for (let n = 0; n < 2000; n++) denials.record(denial(`id-${n}`, 1, n))
    assert.equal(denials.newest(9999).length, 512)
    assert.equal(denials.newest(1)[0]!.spiffeId, 'id-1999')
  })
})
