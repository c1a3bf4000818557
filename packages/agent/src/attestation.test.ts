import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  encodeCertificatesPem,
  encodePrivateKeyPem,
  isMessageSignedBy,
  parseCsr,
  type X509Svid,
} from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { RpcError, toSignedChallenge, type AttestRequest } from '@picket/rpc'
import { createWatch, Secret } from '@picket/runtime'
import { createFakeRandom, createRecordingLogger, FakeClock } from '@picket/runtime/testing'
import { createControlPlaneIssuer, requestFirstSvid } from './attestation.ts'
import type { EvidenceSource } from './control-plane-source.ts'
import type { AgentError } from './error.ts'
import { createEvidence } from './evidence.ts'
import { createJoinTokens } from './join-token.ts'

const csr = Buffer.from('csr')
const never = new AbortController().signal
const DENIED = new RpcError('ERR_RPC_DENIED', 'no')

interface SetUp {
  readonly joinTokens?: ReturnType<typeof createJoinTokens>
  readonly source?: EvidenceSource
}

function setUp({ joinTokens = createJoinTokens(new Secret('token-1'), undefined), source = {} }: SetUp = {}) {
  const clock = new FakeClock()
  const authority = createTestAuthority('bank.test', { clock })
  const calls: string[] = []
  const shown: AttestRequest[] = []
  const svid = createWatch<X509Svid | undefined>(undefined)
  const answer = { svid: { spiffeId: '', chain: [] } }
  const failures: { issue: RpcError | undefined; attest: RpcError[] } = { issue: undefined, attest: [] }
  const challenge = Buffer.from('a challenge')
  const evidence = createEvidence({ challenge: async () => ({ challenge, expiresAtMs: 0 }) }, source, joinTokens)
  const expired: { svid: X509Svid | undefined } = { svid: undefined }
  const issuer = createControlPlaneIssuer({
    client: {
      issue: () => (calls.push('issue'), failures.issue ? Promise.reject(failures.issue) : Promise.resolve(answer)),
    },
    stranger: {
      attest: (request) => {
        shown.push(request)
        const kinds = Object.entries(request).filter(([key, value]) => key !== 'csr' && value !== '' && value)
        calls.push(`attest ${kinds.map(([key, value]) => (typeof value === 'string' ? value : key)).join(' ')}`)
        const failure = failures.attest.shift()
        return failure ? Promise.reject(failure) : Promise.resolve({ ...answer, trustBundle: 'b' })
      },
    },
    svid,
    get expired() {
      return expired.svid
    },
    clock,
    logger: createRecordingLogger(),
    evidence,
    trustBundle: (json) => Promise.resolve(void calls.push(`bundle ${json}`)),
  })
  const newSvid = (): X509Svid => authority.issueSvid('/payments', { notAfter: new Date(clock.now() + 1000) })
  const holdSvid = (): X509Svid => {
    svid.set(newSvid())
    return svid.value!
  }
  return { clock, authority, joinTokens, calls, shown, failures, challenge, expired, newSvid, holdSvid, issuer }
}

test('a join token asks for the first svid, a valid svid for the next, an expired one for its own by its key', async () => {
  const t = setUp()
  await t.issuer.issue(csr, never)
  const { chain } = t.holdSvid()
  await t.issuer.issue(csr, never)
  await t.clock.advance(1000)
  await t.issuer.issue(csr, never)
  assert.deepEqual(t.calls, ['attest token-1', 'bundle b', 'issue', 'attest expiredSvid', 'bundle b'])
  const { expiredSvid } = t.shown[1]!
  assert.deepEqual(
    expiredSvid!.chain,
    chain.map(({ der }) => der),
  )
  const signed = toSignedChallenge('expired-svid', t.challenge, csr)
  assert.ok(isMessageSignedBy(chain[0]!.publicKeyInfo, signed, expiredSvid!.signature))
})

test('an svid that expired before a restart asks as well', async () => {
  const t = setUp({ joinTokens: createJoinTokens(undefined, undefined) })
  t.expired.svid = t.newSvid()
  await t.clock.advance(5000)
  await t.issuer.issue(csr, never)
  assert.deepEqual(t.calls, ['attest expiredSvid', 'bundle b'])
})

test('with neither svid nor evidence nothing is asked', async () => {
  const t = setUp({ joinTokens: createJoinTokens(undefined, undefined) })
  await assert.rejects(t.issuer.issue(csr, never), { code: 'ERR_NO_JOIN_TOKEN' })
  assert.deepEqual(t.calls, [])
})

test('a control plane that no longer knows the svid is shown a token, but each token once', async () => {
  const t = setUp()
  t.holdSvid()
  t.failures.issue = DENIED
  await t.issuer.issue(csr, never)
  await assert.rejects(t.issuer.issue(csr, never), { code: 'ERR_RPC_DENIED' })
  assert.deepEqual(t.calls, ['issue', 'attest token-1', 'bundle b', 'issue'])
})

test('an expired svid that is refused leaves the way by a token that was not shown yet', async () => {
  const t = setUp()
  t.holdSvid()
  await t.clock.advance(1000)
  t.failures.attest.push(DENIED)
  await t.issuer.issue(csr, never)
  assert.deepEqual(t.calls, ['attest expiredSvid', 'attest token-1', 'bundle b'])
  t.failures.attest.push(DENIED)
  await assert.rejects(t.issuer.issue(csr, never), { code: 'ERR_RPC_DENIED' })
})

test('an absent control plane costs no token, with a valid svid and with an expired one', async () => {
  const t = setUp()
  t.holdSvid()
  const away = new RpcError('ERR_RPC_UNAVAILABLE', 'away')
  t.failures.issue = away
  await assert.rejects(t.issuer.issue(csr, never), { code: 'ERR_RPC_UNAVAILABLE' })
  await t.clock.advance(1000)
  t.failures.attest.push(away)
  await assert.rejects(t.issuer.issue(csr, never), { code: 'ERR_RPC_UNAVAILABLE' })
  assert.deepEqual(t.calls, ['issue', 'attest expiredSvid'])
})

test('a certificate comes before a service account token, that before a join token; each when the one before is refused', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'picket-evidence-'))
  try {
    const source = {
      x509Pop: { certificateFile: join(dir, 'cert.pem'), keyFile: join(dir, 'key.pem') },
      kubernetesTokenFile: join(dir, 'token'),
    }
    const t = setUp({ source })
    await assert.rejects(t.issuer.issue(csr, never), {
      code: 'ERR_EVIDENCE_FILE',
      message: /x509PopCertificate .*ENOENT/,
    })
    const machine = t.newSvid()
    await writeFile(source.x509Pop.certificateFile, encodeCertificatesPem(machine.chain))
    await writeFile(source.x509Pop.keyFile, encodePrivateKeyPem(machine.privateKey))
    await writeFile(source.kubernetesTokenFile, 'aa.bb.cc\n')
    t.failures.attest.push(DENIED, DENIED)
    await t.issuer.issue(csr, never)
    assert.deepEqual(t.calls, ['attest x509Pop', 'attest aa.bb.cc', 'attest token-1', 'bundle b'])
    const signed = toSignedChallenge('x509-pop', t.challenge, csr)
    assert.ok(isMessageSignedBy(machine.chain[0]!.publicKeyInfo, signed, t.shown[0]!.x509Pop!.signature))

    t.holdSvid()
    await t.clock.advance(1000)
    t.calls.length = 0
    await t.issuer.issue(csr, never)
    assert.deepEqual(t.calls, ['attest x509Pop expiredSvid', 'bundle b'], 'what can be shown again is')
    for (const content of ['', 'one word', 'a.b', `${'a'.repeat(70_000)}.b.c`]) {
      await writeFile(source.kubernetesTokenFile, content)
      const [, kubernetes] = createEvidence({ challenge: () => assert.fail() }, source, t.joinTokens).kinds
      await assert.rejects(kubernetes!.show(csr, never), ({ code, message }: AgentError) => {
        return code === 'ERR_EVIDENCE_FILE' && (content === '' || !message.includes(content))
      })
    }
  } finally {
    await rm(dir, { recursive: true })
  }
})

test('the first svid is waited for while waiting can help, and not a moment longer', async () => {
  const clock = new FakeClock()
  const failures = [
    new RpcError('ERR_RPC_UNAVAILABLE', 'away'),
    new RpcError('ERR_RPC_DEADLINE', 'slow'),
    new RpcError('ERR_RPC_DENIED', 'no entry'),
  ]
  const asked: number[] = []
  const start = clock.now()
  const keys = new Set<string>()
  const issuer = {
    issue(request: Buffer) {
      asked.push(clock.now() - start)
      keys.add(parseCsr(request).publicKeyInfo.keyId)
      return Promise.reject(failures.shift()!)
    },
  }
  const authority = createTestAuthority('bank.test', { clock })
  const logger = createRecordingLogger()
  const first = requestFirstSvid(
    { issuer, clock, logger, bundles: createWatch(authority.bundles), random: createFakeRandom(0.5) },
    never,
  )
  const refused = assert.rejects(first, { code: 'ERR_ATTESTATION_REFUSED', message: /no entry/ })
  await clock.advance(5000)
  await refused
  assert.deepEqual(asked, [0, 375, 1125])
  assert.equal(keys.size, 1, 'a token whose answer was lost is good again for the same key')
  assert.equal(logger.entries.length, 2)
})

test('the token file is read anew each time, and says what is wrong with it', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'picket-token-'))
  try {
    const file = join(dir, 'token')
    const tokens = createJoinTokens(undefined, file)
    const take = async (): Promise<string | undefined> => (await tokens.take())?.reveal()
    assert.equal(await tokens.isFresh(), false)
    await assert.rejects(take, { code: 'ERR_JOIN_TOKEN_FILE', message: /ENOENT/ })
    await writeFile(file, 'one\n')
    assert.equal(await tokens.isFresh(), true)
    assert.equal(await take(), 'one')
    assert.equal(await tokens.isFresh(), false)
    await writeFile(file, 'two')
    assert.equal(await tokens.isFresh(), true)
    assert.equal(await take(), 'two')
    for (const content of ['', ' \n', 'two words', 'x'.repeat(600), 'x'.repeat(100_000)]) {
      await writeFile(file, content)
      await assert.rejects(take, { code: 'ERR_JOIN_TOKEN_FILE' })
    }
  } finally {
    await rm(dir, { recursive: true })
  }
})
