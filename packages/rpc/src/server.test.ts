import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { ControlPlaneClient } from './control-plane-client.ts'
import type { ApplyEntriesRequest, EntryChange } from './admin-messages.ts'
import type { RotateAuthoritiesRequest } from './authority-messages.ts'
import type { Method } from './contract.ts'
import { RpcError } from './rpc-error.ts'
import {
  AUTHORITIES,
  ENTRY,
  outcomeOf,
  POLICY,
  RELATIONSHIP,
  SIDECAR,
  startTestControlPlane,
  STATUS,
  SVID_ANSWER,
} from './testing.ts'

const CSR = Buffer.from('csr')

const REVOKED = { kind: 'serial', value: '0a' }
const ROTATE: RotateAuthoritiesRequest = {
  kinds: [],
  algorithm: '',
  svidAlgorithm: '',
  emergency: false,
  keepOld: false,
  quorumPercent: 0,
  deadlineSeconds: 0,
  dryRun: true,
}
const PAGE = { pageSize: 0, pageToken: '' }

const CALLS = {
  'Certificates/Challenge': (client) => client.challenge(),
  'Certificates/Attest': (client) => client.attest({ joinToken: 't', csr: CSR }),
  'Certificates/Issue': (client) => client.issue({ csr: CSR }),
  'Certificates/IssueJwt': (client) => client.issueJwt({ spiffeId: '', audience: ['a'] }),
  'Sync/Sync': async (client) => {
    const abort = new AbortController()
    const stream = client.sync(abort.signal)
    stream.onOpen(() => abort.abort())
    const failure = await stream.closed
    if (failure) throw failure
  },
  'Admin/CreateToken': (client) => client.admin.createToken({ selectors: [], ttlSeconds: 0 }),
  'Admin/CreateEntry': (client) => client.admin.createEntry(ENTRY),
  'Admin/ListEntries': (client) => client.admin.listEntries(PAGE),
  'Admin/DeleteEntry': (client) => client.admin.deleteEntry('e1'),
  'Admin/ApplyEntries': (client) =>
    client.admin.applyEntries({ expectedRevision: 0, changes: [{ kind: 'delete', id: 'e1' }] }),
  'Admin/ExplainIdentity': (client) => client.admin.explainIdentity({ spiffeId: '', facts: [] }),
  'Admin/PushPolicy': (client) => client.admin.pushPolicy(Buffer.from('abc')),
  'Admin/ListPolicies': (client) => client.admin.listPolicies(),
  'Admin/RotateSvids': (client) => client.admin.rotateSvids(''),
  'Admin/GetStatus': (client) => client.admin.getStatus(),
  'Admin/ListSidecars': (client) => client.admin.listSidecars(PAGE),
  'Authorities/GetAuthorities': (client) => client.authorities.getAuthorities(),
  'Authorities/PrepareAuthority': (client) => client.authorities.prepare({ kind: 'x509', algorithm: '' }),
  'Authorities/ActivateAuthority': (client) => client.authorities.activate({ kind: 'x509', force: false }),
  'Authorities/TaintAuthority': (client) => client.authorities.taint({ kind: 'x509', keyId: 'ab', force: false }),
  'Authorities/RevokeAuthority': (client) => client.authorities.revoke({ kind: 'x509', keyId: 'ab', force: false }),
  'Authorities/RotateAuthorities': (client) => client.authorities.rotate(ROTATE),
  'Revocations/CreateRevocation': (client) => client.revocations.create({ ...REVOKED, reason: '', expiresAtMs: 0 }),
  'Revocations/DeleteRevocation': (client) => client.revocations.delete(REVOKED),
  'Revocations/ListRevocations': (client) => client.revocations.list(PAGE),
  'Federation/SetRelationship': (client) => client.federation.set({ ...RELATIONSHIP, bundle: '' }),
  'Federation/DeleteRelationship': (client) => client.federation.delete('partner.test'),
  'Federation/ListRelationships': (client) => client.federation.list(),
  'Federation/RefreshRelationship': (client) => client.federation.refresh('partner.test'),
} satisfies Record<Method, (client: ControlPlaneClient) => Promise<unknown>>

const APPLIED = { created: 1, updated: 1, deleted: 1200, revision: 8 }

const METHODS = Object.entries(CALLS)

suite('who may call what', () => {
  const roles = [
    { who: 'nobody in particular', path: undefined, allowed: /Attest$|Challenge$/, refused: 'ERR_RPC_UNAUTHENTICATED' },
    { who: 'a workload', path: '/payments', allowed: /^(Certificates|Sync)\//, refused: 'ERR_RPC_DENIED' },
    {
      who: 'the operator',
      path: '/picket/operator',
      allowed: /Attest$|Challenge$|^(Admin|Authorities|Revocations|Federation)\//,
      refused: 'ERR_RPC_DENIED',
    },
    { who: 'a control plane', path: '/picket/control-plane', allowed: /Attest$|Challenge$/, refused: 'ERR_RPC_DENIED' },
    {
      who: 'an operator of a kind',
      path: '/picket/operator/2',
      allowed: /Attest$|Challenge$/,
      refused: 'ERR_RPC_DENIED',
    },
  ] as const
  for (const { who, path, allowed, refused } of roles) {
    test(`${who} may call what the table says and nothing else`, async () => {
      await using controlPlane = await startTestControlPlane()
      const client = controlPlane.client(path)
      for (const [method, call] of METHODS) {
        assert.equal(await outcomeOf(call(client)), allowed.test(method) ? 'ok' : refused, method)
      }
    })
  }

  test('a refused call leaves one record that says who, what and why', async () => {
    await using controlPlane = await startTestControlPlane()
    await outcomeOf(controlPlane.client('/payments').admin.getStatus())
    const [entry, ...more] = controlPlane.log.filter(({ message }) => message === 'call refused')
    assert.deepEqual(more, [])
    assert.equal(entry?.fields['method'], 'Admin/GetStatus')
    assert.equal(entry.fields['caller'], 'spiffe://bank.test/payments')
    assert.equal(entry.fields['code'], 'ERR_RPC_DENIED')
  })
})

suite('messages', () => {
  test('arrive as they were sent, in both directions', async () => {
    const seen: unknown[] = []
    await using controlPlane = await startTestControlPlane({
      attest: (request) => (seen.push(request), Promise.resolve(SVID_ANSWER)),
      admin: { createEntry: (draft) => (seen.push(draft), Promise.resolve(ENTRY)) },
    })
    const operator = controlPlane.client('/picket/operator')
    const { id: _id, createdAtMs: _createdAtMs, updatedAtMs: _updatedAtMs, ...draft } = ENTRY
    const proof = { chain: [CSR], challenge: Buffer.from('challenge'), signature: Buffer.from('signature') }
    const evidence = { joinToken: '', csr: CSR, x509Pop: proof, kubernetesToken: 'token', expiredSvid: proof }
    assert.deepEqual(await operator.attest({ joinToken: 'secret', csr: CSR }), SVID_ANSWER)
    await operator.attest(evidence)
    assert.deepEqual(await operator.admin.createEntry(draft), ENTRY)
    const token = { joinToken: 'secret', csr: CSR, kubernetesToken: '', x509Pop: undefined, expiredSvid: undefined }
    assert.deepEqual(seen, [token, evidence, draft])
    assert.deepEqual(await operator.admin.listSidecars(PAGE), { sidecars: [SIDECAR], nextPageToken: '' })
    assert.deepEqual(await operator.authorities.getAuthorities(), AUTHORITIES)
    assert.deepEqual(await operator.admin.getStatus(), STATUS)
    assert.deepEqual(await operator.admin.listEntries({ pageSize: 1, pageToken: '' }), {
      entries: [ENTRY],
      nextPageToken: 'e1',
      revision: 7,
    })
    assert.deepEqual(await operator.admin.listPolicies(), [POLICY])
  })

  test('a set of changes larger than one message arrives whole and in order', async () => {
    const seen: ApplyEntriesRequest[] = []
    await using controlPlane = await startTestControlPlane({
      admin: { applyEntries: (request) => (seen.push(request), Promise.resolve(APPLIED)) },
    })
    const { id, createdAtMs: _createdAtMs, updatedAtMs: _updatedAtMs, ...draft } = ENTRY
    const changes: EntryChange[] = [
      { kind: 'create', draft },
      { kind: 'update', id, draft },
    ]
    for (let number = 0; number < 1200; number++) changes.push({ kind: 'delete', id: `e${number}` })
    const answer = await controlPlane.client('/picket/operator').admin.applyEntries({ expectedRevision: 7, changes })
    assert.deepEqual(answer, APPLIED)
    assert.deepEqual(seen, [{ expectedRevision: 7, changes }])
  })

  test('a policy of several pieces arrives whole', async () => {
    const digest: Buffer[] = []
    await using controlPlane = await startTestControlPlane({
      admin: { pushPolicy: (bundle) => (digest.push(bundle), Promise.resolve(POLICY)) },
    })
    const bundle = Buffer.alloc(3.5 * 1024 * 1024, 'policy')
    await controlPlane.client('/picket/operator').admin.pushPolicy(bundle)
    assert.ok(digest[0]?.equals(bundle))
  })

  test('an upload over 64 MiB is refused and not kept', async () => {
    await using controlPlane = await startTestControlPlane({
      admin: { pushPolicy: () => assert.fail('must not get here') },
    })
    const upload = controlPlane.client('/picket/operator').admin.pushPolicy(Buffer.alloc(65 * 1024 * 1024))
    assert.equal(await outcomeOf(upload), 'ERR_RPC_INVALID')
  })

  test('a handler’s own error reaches the caller with its reason; any other shows nothing of itself', async () => {
    await using controlPlane = await startTestControlPlane({
      attest: () => Promise.reject(new Error('the database password is hunter2')),
      issue: () => Promise.reject(new RpcError('ERR_RPC_CONFLICT', 'there is one', { reason: 'ERR_ENTRY_DUPLICATE' })),
    })
    const client = controlPlane.client('/payments')
    await assert.rejects(client.attest({ joinToken: 't', csr: CSR }), (thrown: RpcError) => {
      assert.equal(thrown.code, 'ERR_RPC_INTERNAL')
      assert.doesNotMatch(thrown.message, /hunter2/)
      return true
    })
    await assert.rejects(client.issue({ csr: CSR }), { code: 'ERR_RPC_CONFLICT', reason: 'ERR_ENTRY_DUPLICATE' })
    assert.equal(controlPlane.log.filter(({ level }) => level === 'error').length, 1)
  })

  test('a call ends at its deadline and when its signal aborts', async () => {
    await using controlPlane = await startTestControlPlane({ issue: () => new Promise(() => {}) })
    const client = controlPlane.client('/payments')
    assert.equal(await outcomeOf(client.issue({ csr: CSR }, { deadlineMs: 100 })), 'ERR_RPC_DEADLINE')
    const signal = AbortSignal.timeout(100)
    assert.equal(await outcomeOf(client.issue({ csr: CSR }, { signal })), 'ERR_RPC_CANCELLED')
    assert.equal(await outcomeOf(client.issue({ csr: CSR }, { signal })), 'ERR_RPC_CANCELLED')
  })
})
