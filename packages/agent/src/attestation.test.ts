import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { X509Svid } from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { RpcError } from '@picket/rpc'
import { createWatch, Secret } from '@picket/runtime'
import { createFakeRandom, createRecordingLogger, FakeClock } from '@picket/runtime/testing'
import { createControlPlaneIssuer, createJoinTokens, requestFirstSvid } from './attestation.ts'

const csr = Buffer.from('csr')
const never = new AbortController().signal

function setUp(joinTokens = createJoinTokens(new Secret('token-1'), undefined)) {
  const clock = new FakeClock()
  const authority = createTestAuthority('bank.test', { clock })
  const calls: string[] = []
  const svid = createWatch<X509Svid | undefined>(undefined)
  const answer = { svid: { spiffeId: '', chain: [] } }
  const denial: { error: RpcError | undefined } = { error: undefined }
  const issuer = createControlPlaneIssuer({
    client: {
      issue: () => (calls.push('issue'), denial.error ? Promise.reject(denial.error) : Promise.resolve(answer)),
      attest: ({ joinToken }) => (calls.push(`attest ${joinToken}`), Promise.resolve({ ...answer, trustBundle: 'b' })),
    },
    svid,
    clock,
    joinTokens,
    trustBundle: (json) => Promise.resolve(void calls.push(`bundle ${json}`)),
  })
  const holdSvid = (): void => svid.set(authority.issueSvid('/payments', { notAfter: new Date(clock.now() + 1000) }))
  return { clock, authority, calls, denial, holdSvid, issuer }
}

test('a join token asks for the first svid, a valid svid for the next, a token again once it has expired', async () => {
  const t = setUp()
  await t.issuer.issue(csr, never)
  t.holdSvid()
  await t.issuer.issue(csr, never)
  await t.clock.advance(1000)
  await t.issuer.issue(csr, never)
  assert.deepEqual(t.calls, ['attest token-1', 'bundle b', 'issue', 'attest token-1', 'bundle b'])
})

test('with neither svid nor token nothing is asked', async () => {
  const t = setUp(createJoinTokens(undefined, undefined))
  await assert.rejects(t.issuer.issue(csr, never), { code: 'ERR_NO_JOIN_TOKEN' })
  assert.deepEqual(t.calls, [])
})

test('a control plane that no longer knows the svid is shown a token, but each token once', async () => {
  const t = setUp()
  t.holdSvid()
  t.denial.error = new RpcError('ERR_RPC_DENIED', 'not issued here')
  await t.issuer.issue(csr, never)
  await assert.rejects(t.issuer.issue(csr, never), { code: 'ERR_RPC_DENIED' })
  assert.deepEqual(t.calls, ['issue', 'attest token-1', 'bundle b', 'issue'])
})

test('an absent control plane costs no token', async () => {
  const t = setUp()
  t.holdSvid()
  t.denial.error = new RpcError('ERR_RPC_UNAVAILABLE', 'away')
  await assert.rejects(t.issuer.issue(csr, never), { code: 'ERR_RPC_UNAVAILABLE' })
  assert.deepEqual(t.calls, ['issue'])
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
  const issuer = { issue: () => (asked.push(clock.now() - start), Promise.reject(failures.shift()!)) }
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
