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
import { createControlPlaneIssuer, readJoinToken, requestFirstSvid } from './attestation.ts'

const csr = Buffer.from('csr')
const never = new AbortController().signal

function setUp() {
  const clock = new FakeClock()
  const authority = createTestAuthority('bank.test', { clock })
  const calls: string[] = []
  const svid = createWatch<X509Svid | undefined>(undefined)
  const answer = { svid: { spiffeId: '', chain: [] } }
  const issuer = createControlPlaneIssuer({
    client: {
      issue: () => (calls.push('issue'), Promise.resolve(answer)),
      attest: ({ joinToken }) => (calls.push(`attest ${joinToken}`), Promise.resolve({ ...answer, trustBundle: 'b' })),
    },
    svid,
    clock,
    joinToken: () => Promise.resolve(new Secret('token-1')),
    trustBundle: (json) => Promise.resolve(void calls.push(`bundle ${json}`)),
  })
  return { clock, authority, calls, svid, issuer }
}

test('a join token asks for the first svid, a valid svid for the next, a token again once it has expired', async () => {
  const t = setUp()
  await t.issuer.issue(csr, never)
  t.svid.set(t.authority.issueSvid('/payments', { notAfter: new Date(t.clock.now() + 1000) }))
  await t.issuer.issue(csr, never)
  await t.clock.advance(1000)
  await t.issuer.issue(csr, never)
  assert.deepEqual(t.calls, ['attest token-1', 'bundle b', 'issue', 'attest token-1', 'bundle b'])
})

test('with neither svid nor token nothing is asked', async () => {
  const t = setUp()
  const issuer = createControlPlaneIssuer({
    client: { attest: () => assert.fail(), issue: () => assert.fail() },
    svid: t.svid,
    clock: t.clock,
    joinToken: () => Promise.resolve(undefined),
    trustBundle: () => Promise.resolve(),
  })
  await assert.rejects(issuer.issue(csr, never), { code: 'ERR_NO_JOIN_TOKEN' })
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
    await assert.rejects(readJoinToken(undefined, file), { code: 'ERR_JOIN_TOKEN_FILE', message: /ENOENT/ })
    await writeFile(file, 'one\n')
    assert.equal((await readJoinToken(undefined, file))?.reveal(), 'one')
    await writeFile(file, 'two')
    assert.equal((await readJoinToken(undefined, file))?.reveal(), 'two')
    for (const content of ['', ' \n', 'two words', 'x'.repeat(600), 'x'.repeat(100_000)]) {
      await writeFile(file, content)
      await assert.rejects(readJoinToken(undefined, file), { code: 'ERR_JOIN_TOKEN_FILE' })
    }
    assert.equal((await readJoinToken(new Secret('given'), file))?.reveal(), 'given')
    assert.equal(await readJoinToken(undefined, undefined), undefined)
  } finally {
    await rm(dir, { recursive: true })
  }
})
