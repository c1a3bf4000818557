/** Every kind of evidence, against a real control plane over real connections. */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { startTestControlPlane, toSvid, type TestControlPlane } from '@picket/control-plane/testing'
import { createCsr, encodeName, generateKeyPair, OID, signMessage, type KeyPair, type X509Svid } from '@picket/identity'
import { createTestAuthority, type TestAuthority } from '@picket/identity/testing'
import {
  toSignedChallenge,
  type RpcError,
  type AttestRequest,
  type ChallengeUse,
  type SignedChallenge,
} from '@picket/rpc'
import { codeOf, systemClock } from '@picket/runtime'
import { startEvidenceSite, type EvidenceSite } from '../support/evidence-site.ts'
import type { TokenReviewFault, TokenReviewServer } from '../support/token-review.ts'

let site: EvidenceSite
let api: TokenReviewServer
let machines: TestAuthority
let plane: TestControlPlane

before(async () => {
  site = await startEvidenceSite()
  ;({ api, machines, plane } = site)
})
after(() => site?.[Symbol.asyncDispose]())

const createEntry = (spiffeId: string, selectors: string[], change: object = {}): Promise<unknown> =>
  site.createEntry(spiffeId, selectors, change)

type Shown = Partial<Omit<AttestRequest, 'csr'>>

async function attest(show: (csr: Buffer) => Promise<Shown> | Shown, keyPair = generateKeyPair()): Promise<X509Svid> {
  const csr = createCsr(keyPair)
  const { svid } = await plane.client().attest({ joinToken: '', ...(await show(csr)), csr })
  return toSvid(svid, keyPair)
}

/** The SPIFFE ID, or why there is none: the reason in the control plane's record of what it denied, or the error's code. */
const outcomeOf = (attempt: Promise<X509Svid>): Promise<string> =>
  attempt.then(
    ({ id }) => id.uri,
    async (thrown: unknown) => {
      if (codeOf(thrown) !== 'ERR_RPC_DENIED') return codeOf(thrown) ?? String(thrown)
      const { denials } = await plane.operator.admin.explainIdentity({ spiffeId: '', facts: [] })
      return denials[0]!.reason
    },
  )

async function sign(
  use: ChallengeUse,
  { chain, privateKey }: Pick<X509Svid, 'chain' | 'privateKey'>,
  csr: Buffer,
): Promise<SignedChallenge> {
  const { challenge } = await plane.client().challenge()
  const signature = signMessage(toSignedChallenge(use, challenge, csr), privateKey)
  return { chain: chain.map(({ der }) => der), challenge, signature }
}

suite('a projected service account token', () => {
  const POD = { name: 'payments-1', uid: 'uid-1', node: 'node-a' }
  const token = (change: object = {}): string =>
    api.createToken({ namespace: 'prod', account: 'payments', audiences: ['picket'], pod: POD, ...change })
  const withToken = (text: string) => (): Shown => ({ kubernetesToken: text })

  test('is turned into an identity by a template over what it proves', async () => {
    await createEntry('spiffe://{td}/ns/{k8s.ns}/sa/{k8s.sa}', ['k8s:cluster:east', 'k8s:node-name:node-a'])
    const { id } = await attest(withToken(token()))
    assert.equal(id.uri, 'spiffe://bank.test/ns/prod/sa/payments')
    const again = await attest(withToken(token({ namespace: 'test' })))
    assert.equal(again.id.uri, 'spiffe://bank.test/ns/test/sa/payments')
    const elsewhere = token({ pod: { ...POD, node: 'node-b' } })
    assert.equal(await outcomeOf(attest(withToken(elsewhere))), 'no-entry')
    const { denials } = await plane.operator.admin.explainIdentity({ spiffeId: '', facts: [] })
    assert.equal(denials[0]!.evidence, 'kubernetes')
    assert.deepEqual(denials[0]!.near[0]!.missing, ['k8s:node-name:node-a'])
    assert.ok(denials[0]!.facts.includes('k8s:pod-name:payments-1'))
    assert.ok(!JSON.stringify([denials, plane.log]).includes(elsewhere), 'a token is nowhere to be read')
  })

  const denied: [string, () => string][] = [
    ['that the API server does not know', () => 'header.unknown.signature'],
    ['for another audience', () => token({ audiences: ['vault'] })],
  ]
  for (const [what, text] of denied) {
    test(`${what} is denied`, async () => {
      assert.equal(await outcomeOf(attest(withToken(text()))), 'kubernetes-token')
    })
  }

  const faults: [TokenReviewFault, string][] = [
    ['internal-error', 'ERR_RPC_UNAVAILABLE'],
    ['not-json', 'ERR_RPC_UNAVAILABLE'],
    ['duplicate-keys', 'ERR_RPC_UNAVAILABLE'],
    ['huge', 'ERR_RPC_UNAVAILABLE'],
    ['other-kind', 'ERR_RPC_UNAVAILABLE'],
    ['slow', 'ERR_RPC_UNAVAILABLE'],
    ['no-audiences', 'kubernetes-token'],
    ['a-user', 'kubernetes-token'],
  ]
  for (const [fault, code] of faults) {
    test(`gives nothing when the API server's answer is: ${fault}`, async () => {
      api.fault = fault
      try {
        const startedMs = systemClock.monotonicMs()
        assert.equal(await outcomeOf(attest(withToken(token()))), code)
        assert.ok(systemClock.monotonicMs() - startedMs < 9000)
      } finally {
        api.fault = 'none'
      }
    })
  }

  test('is not judged while the control plane may not ask: 401 and 403 are told apart, and cured without a restart', async () => {
    api.mayReview = false
    assert.equal(await outcomeOf(attest(withToken(token()))), 'ERR_RPC_UNAVAILABLE')
    api.mayReview = true
    await writeFile(api.tokenFile, 'an.old.token')
    await assert.rejects(attest(withToken(token())), ({ code, message }: RpcError) => {
      return code === 'ERR_RPC_UNAVAILABLE' && !message.includes(site.folder) && !message.includes('401')
    })
    const told = plane.log.filter(({ message }) => message === 'evidence cannot be judged').slice(-2)
    assert.match(JSON.stringify(told), /403: .*auth-delegator.*401: .*kubernetesTokenFile/, 'the operator is told why')
    await writeFile(api.tokenFile, 'own.token.of-the-control-plane')
    assert.match(await outcomeOf(attest(withToken(token()))), /\/sa\/payments$/)
  })

  test('that is none is not even asked about', async () => {
    const before = api.reviews
    for (const text of ['x', 'a.b', 'a.b.c d', `${'a'.repeat(20_000)}.b.c`]) {
      assert.equal(await outcomeOf(attest(withToken(text))), 'ERR_RPC_INVALID')
    }
    assert.equal(api.reviews, before)
  })
})

suite('a certificate of an existing PKI', () => {
  const nameOf = (value: string): Buffer => encodeName([{ oid: OID.commonName, value }])
  const machine = (change: object = {}, authority = machines): X509Svid =>
    authority.issueSvid('/x', { uris: [], dnsNames: ['db1.corp.test'], subject: nameOf('db 1'), ...change })
  const proof =
    (svid: X509Svid) =>
    async (csr: Buffer): Promise<Shown> => ({ x509Pop: await sign('x509-pop', svid, csr) })

  test('proves its names, its serial number and who issued it', async () => {
    const svid = machine({}, machines.issueAuthority())
    const serial = svid.chain[0]!.serialNumber
    await createEntry('spiffe://bank.test/db', [
      'x509pop:subject:cn:db%201',
      'x509pop:san:dns:db1.corp.test',
      `x509pop:serialnumber:${serial}`,
    ])
    assert.equal((await attest(proof(svid))).id.uri, 'spiffe://bank.test/db')
    assert.equal(await outcomeOf(attest(proof(machine()))), 'no-entry', 'another serial number')
    const { denials } = await plane.operator.admin.explainIdentity({ spiffeId: '', facts: [] })
    const issuers = denials[0]!.facts.filter((fact) => /^x509pop:ca:fingerprint:[0-9a-f]{64}$/.test(fact))
    assert.equal(issuers.length, 1)
  })

  const denied: [string, () => X509Svid, string][] = [
    ['of an authority that is not trusted for it', () => machine({}, createTestAuthority('corp.test')), 'x509-chain'],
    ['that has expired', () => machine({ notAfter: new Date(systemClock.now() - 1000) }), 'x509-chain'],
    ['that is an authority', () => machine({ isCa: true }), 'x509-chain'],
    ['whose key is not for signatures', () => machine({ keyUsage: ['keyAgreement'] }), 'x509-chain'],
    [
      'of too many names',
      () => machine({ dnsNames: Array.from({ length: 17 }, (_, n) => `n${n}.test`) }),
      'x509-chain',
    ],
    [
      'with a key of somebody else',
      () => ({ ...machine(), privateKey: generateKeyPair().privateKey }),
      'proof-of-possession',
    ],
  ]
  for (const [what, svid, reason] of denied) {
    test(`${what} is denied`, async () => {
      assert.equal(await outcomeOf(attest(proof(svid()))), reason)
    })
  }

  test('is good for one CSR, one use and one minute', async () => {
    const svid = machine()
    const shown = await sign('x509-pop', svid, createCsr(generateKeyPair()))
    assert.equal(await outcomeOf(attest(() => ({ x509Pop: shown }))), 'proof-of-possession', 'another CSR')
    const crossed = async (csr: Buffer): Promise<Shown> => ({ x509Pop: await sign('expired-svid', svid, csr) })
    assert.equal(await outcomeOf(attest(crossed)), 'proof-of-possession', 'another use')
    const own = async (csr: Buffer): Promise<Shown> => {
      const challenge = Buffer.alloc(56, 1)
      const signature = signMessage(toSignedChallenge('x509-pop', challenge, csr), svid.privateKey)
      return { x509Pop: { chain: [svid.chain[0]!.der], challenge, signature } }
    }
    assert.equal(await outcomeOf(attest(own)), 'challenge', 'a challenge of its own making')
  })

  test('is not read when it is none, or too long a chain', async () => {
    const svid = machine()
    for (const chain of [[], [Buffer.from('x')], Array.from({ length: 6 }, () => svid.chain[0]!.der)]) {
      const shown = async (csr: Buffer): Promise<Shown> => ({
        x509Pop: { ...(await sign('x509-pop', svid, csr)), chain },
      })
      assert.equal(await outcomeOf(attest(shown)), 'ERR_RPC_INVALID')
    }
  })
})

suite('an expired SVID', () => {
  const BRIEF_MS = 5000
  const proof =
    (svid: X509Svid, fresh: Shown = {}) =>
    async (csr: Buffer): Promise<Shown> => ({ ...fresh, expiredSvid: await sign('expired-svid', svid, csr) })
  const untilExpired = async (svid: X509Svid): Promise<void> =>
    systemClock.sleep(svid.notAfter.getTime() - systemClock.now() + 100)

  test('is renewed by its key while an entry matches, and not by another key, entry or deny-list', async () => {
    await plane.register('brief', BRIEF_MS / 1000)
    const keyPair: KeyPair = generateKeyPair()
    const { token } = await plane.operator.admin.createToken({ selectors: ['service:brief'], ttlSeconds: 0 })
    const svid = await attest(() => ({ joinToken: token }), keyPair)
    await untilExpired(svid)
    const stolen = { ...svid, privateKey: generateKeyPair().privateKey }
    assert.equal(await outcomeOf(attest(proof(stolen))), 'proof-of-possession')
    const forged = createTestAuthority('bank.test').issueSvid('/brief', {
      notAfter: new Date(systemClock.now() - 1000),
    })
    assert.equal(await outcomeOf(attest(proof(forged))), 'expired-svid')
    assert.equal(await outcomeOf(attest(proof(svid, { joinToken: token }))), 'ERR_RPC_INVALID', 'not with a token')
    const renewed = await attest(proof(svid))
    assert.equal(renewed.id.uri, svid.id.uri)
    const { entries } = await plane.operator.admin.listEntries({ pageSize: 0, pageToken: '' })
    await plane.operator.admin.deleteEntry(entries.find(({ service }) => service === 'brief')!.id)
    assert.equal(await outcomeOf(attest(proof(svid))), 'no-entry')
  })

  test('that came of evidence which can be shown again is renewed only with it, for the same SPIFFE ID', async () => {
    await createEntry('spiffe://bank.test/pods/{k8s.sa}', ['k8s:ns:brief'], { ttlSeconds: BRIEF_MS / 1000 })
    const tokenOf = (account: string): string => api.createToken({ namespace: 'brief', account, audiences: ['picket'] })
    const [own, other] = [tokenOf('one'), tokenOf('two')]
    const svid = await attest(() => ({ kubernetesToken: own }))
    await untilExpired(svid)
    assert.equal(await outcomeOf(attest(proof(svid))), 'fresh-evidence', 'without')
    assert.equal(await outcomeOf(attest(proof(svid, { kubernetesToken: other }))), 'no-entry', 'of another')
    assert.equal(await outcomeOf(attest(proof(svid, { kubernetesToken: own }))), svid.id.uri)
    api.forget(own)
    assert.equal(await outcomeOf(attest(proof(svid, { kubernetesToken: own }))), 'kubernetes-token', 'the pod is gone')
  })
})

suite('evidence', () => {
  test('is one kind at a time, and there has to be some', async () => {
    assert.equal(await outcomeOf(attest(() => ({}))), 'ERR_RPC_INVALID')
    assert.equal(await outcomeOf(attest(() => ({ joinToken: 'x', kubernetesToken: 'a.b.c' }))), 'ERR_RPC_INVALID')
  })

  test('that this control plane was not set up for is refused', async () => {
    await using bare = await startTestControlPlane({ renewAfterExpiry: 0 })
    const csr = createCsr(generateKeyPair())
    const shown = bare.client().attest({ joinToken: '', kubernetesToken: 'a.b.c', csr })
    await assert.rejects(shown, { code: 'ERR_RPC_DENIED', message: /takes no kubernetes evidence/ })
  })

  test('leads to every identity that it gives: each can be had with the first one, as certificate and as token', async () => {
    for (const name of ['many', 'many-admin']) await createEntry(`spiffe://bank.test/${name}`, ['service:many'])
    const svid = await plane.attest('many')
    const client = plane.client(svid)
    const keyPair = generateKeyPair()
    const { id } = toSvid((await client.issue({ csr: createCsr(keyPair, admin()) })).svid, keyPair)
    assert.equal(id.uri, 'spiffe://bank.test/many-admin')
    const jwt = await client.issueJwt({ spiffeId: id.uri, audience: ['ledger'] })
    assert.equal(jwt.spiffeId, id.uri)
    assert.ok(!JSON.stringify(plane.log).includes(jwt.token.split('.')[2]!), 'a token is in no log')
    const journal = await readFile(join(plane.dataDir, 'ca/issuance-journal.ndjson'), 'utf8')
    const [x509, token] = journal
      .trim()
      .split('\n')
      .slice(-2)
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    const { entries } = await plane.operator.admin.listEntries({ pageSize: 0, pageToken: '' })
    const entry = entries.find(({ spiffeId }) => spiffeId === id.uri)!
    for (const [record, kind] of [
      [x509!, 'x509'],
      [token!, 'jwt'],
    ] as const) {
      assert.deepEqual([record['kind'], record['spiffeId'], record['caller']], [kind, id.uri, svid.id.uri])
      assert.deepEqual([record['entryId'], typeof record['entryRevision']], [entry.id, 'string'])
    }
    for (const audience of [[], [''], Array.from({ length: 17 }, (_, n) => `a${n}`), ['x'.repeat(2049)]]) {
      await assert.rejects(client.issueJwt({ spiffeId: '', audience }), { code: 'ERR_RPC_INVALID' })
    }
    const strange = { spiffeId: 'spiffe://bank.test/db', audience: ['a'] }
    await assert.rejects(client.issueJwt(strange), { code: 'ERR_RPC_DENIED' })
  })
})

function admin(): X509Svid['id'] {
  return createTestAuthority('bank.test').issueSvid('/many-admin').id
}
