import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import type { RotationProgress } from '@picket/rpc'
import {
  createScratchFolder,
  picket,
  picketHere,
  PicketProcess,
  type Finished,
  type ScratchFolder,
} from '../testing.ts'
import { describeProgress } from './ca-listing.ts'

let scratch: ScratchFolder
let dataDir: string
let controlPlane: PicketProcess

const asOperator = (...args: string[]): Promise<Finished> => picketHere(...args, '--data-dir', dataDir)

interface AuthorityItem {
  readonly kind: string
  readonly keyId: string
  readonly algorithm: string
  readonly state: string
  readonly tainted: boolean
}

async function itemsOf<T>(...args: string[]): Promise<T[]> {
  const { code, out, err } = await asOperator(...args, '-o', 'json')
  assert.equal(code, 0, err)
  return (JSON.parse(out) as { items: T[] }).items
}

const x509 = (items: readonly AuthorityItem[], state: string): AuthorityItem | undefined =>
  items.find((item) => item.kind === 'x509' && item.state === state)

before(async () => {
  scratch = await createScratchFolder()
  dataDir = join(scratch.path, 'data')
  const { code, err } = await picket('ca', 'init', '--trust-domain', 'bank.test', '--data-dir', dataDir)
  assert.equal(code, 0, err)
  const addresses = ['--listen', '127.0.0.1:0', '--health', '127.0.0.1:0']
  controlPlane = new PicketProcess(['control-plane', '--data-dir', dataDir, ...addresses])
  for (let attempt = 0; attempt < 100 && (await asOperator('status')).code !== 0; attempt++) {
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
})

after(async () => {
  await controlPlane[Symbol.asyncDispose]()
  await scratch[Symbol.asyncDispose]()
})

suite('authorities on the command line', () => {
  test('are rotated step by step', async () => {
    const before = x509(await itemsOf<AuthorityItem>('ca', 'status'), 'active')!
    const prepared = await itemsOf<AuthorityItem>('ca', 'prepare', '--algorithm', 'ec-p384')
    assert.equal(x509(prepared, 'prepared')?.algorithm, 'ec-p384')
    const active = x509(await itemsOf<AuthorityItem>('ca', 'activate'), 'active')!
    assert.equal(active.algorithm, 'ec-p384')
    const tainted = await itemsOf<AuthorityItem>('ca', 'taint', before.keyId.slice(0, 12).toUpperCase())
    assert.equal(x509(tainted, 'old')?.tainted, true)
    for (let attempt = 0; attempt < 50; attempt++) {
      const { code, err } = await asOperator('ca', 'revoke', before.keyId)
      if (code === 0) break
      assert.match(err, /being renewed: try again/)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    const left = await itemsOf<AuthorityItem>('ca', 'status')
    assert.deepEqual(
      left.map(({ kind, state }) => `${kind} ${state}`),
      ['jwt active', 'x509 active'],
    )
  })

  test('are shown as a table, with what workloads use', async () => {
    const { code, out, err } = await asOperator('ca', 'status')
    assert.equal(code, 0)
    assert.match(out, /^KIND +KEY ID +KEY +STATE +EXPIRES +HOLDERS +KNOWN TO +UPSTREAM\n/)
    assert.match(err, /workloads' keys: ec-p256/)
  })

  test('are rotated by one command that follows to the end', async () => {
    const before = x509(await itemsOf<AuthorityItem>('ca', 'status'), 'active')!
    const { code, out, err } = await asOperator('ca', 'rotate', '--x509', '--algorithm', 'ml-dsa-44', '-o', 'json')
    assert.equal(code, 0, err)
    const after = (JSON.parse(out) as { items: AuthorityItem[] }).items
    assert.equal(x509(after, 'active')?.algorithm, 'ml-dsa-44')
    assert.ok(!after.some(({ keyId }) => keyId === before.keyId))
    assert.match(err, /done: +the rotation has ended\n$/)
    const quiet = await asOperator('ca', 'rotate', '--x509', '--emergency', '-q', '-o', 'json')
    assert.deepEqual([quiet.code, quiet.err], [0, ''])
  })

  test('stay as they are in a dry run', async () => {
    const before = await itemsOf<AuthorityItem>('ca', 'status')
    const { code, out, err } = await asOperator('ca', 'rotate', '--dry-run')
    assert.deepEqual([code, out], [0, 'SPIFFE ID  INSTANCE  STATE  SVIDS OF\n'])
    assert.match(err, /^0 connected sidecars would get a new bundle and renew\n$/)
    assert.deepEqual(await itemsOf<AuthorityItem>('ca', 'status'), before)
  })

  const WRONG: readonly (readonly [code: number, ...args: string[]])[] = [
    [2, 'rotate', '--x509', '--jwt'],
    [2, 'rotate', '--algorithm', 'dsa'],
    [2, 'rotate', '--quorum', '0'],
    [2, 'rotate', '--quorum', '99.5'],
    [2, 'rotate', '--deadline', '10'],
    [1, 'rotate', '--jwt', '--algorithm', 'ec-p384'],
    [1, 'rotate', '--emergency', '--keep-old'],
    [2, 'prepare', '--algorithm', 'none'],
    [1, 'activate'],
    [2, 'taint'],
    [1, 'taint', 'ffff'],
    [1, 'revoke', 'zz'],
  ]
  for (const [code, ...args] of WRONG) {
    test(`ca ${args.join(' ')} ends with ${code} and a reason`, async () => {
      const finished = await asOperator('ca', ...args)
      assert.deepEqual([finished.code, finished.out], [code, ''], finished.err)
      assert.match(finished.err, /^picket: .+/)
      assert.doesNotMatch(finished.err, /\n\s+at /)
    })
  }
})

suite('identities on the command line', () => {
  test('are revoked, listed and taken back', async () => {
    const args = ['revoke', '/payments', '--reason', 'stolen', '--expires', '1h']
    const [revoked] = await itemsOf<Record<string, unknown>>(...args)
    assert.deepEqual(
      [revoked!['kind'], revoked!['value'], revoked!['reason'], revoked!['acknowledged']],
      ['spiffe-id', 'spiffe://bank.test/payments', 'stolen', 0],
    )
    const listed = await asOperator('revoke', '--list')
    assert.match(listed.out, /spiffe-id +spiffe:\/\/bank\.test\/payments +stolen +.* ago +in (59m|1h).* 0\/0\n/)
    await itemsOf('unrevoke', '/payments')
    assert.equal((await asOperator('unrevoke', '/payments')).code, 1)
    await itemsOf('revoke', '--serial', '0A:1B')
    const serial = (await itemsOf<Record<string, unknown>>('revoke', '--list')).find(({ kind }) => kind === 'serial')
    assert.deepEqual([serial!['value'], serial!['expiresAt']], ['0a1b', null])
  })

  test('that must not be revoked are refused with the way out', async () => {
    const active = x509(await itemsOf<AuthorityItem>('ca', 'status'), 'active')!
    for (const args of [['/picket/operator'], ['--authority', active.keyId]]) {
      const { code, err } = await asOperator('revoke', ...args)
      assert.equal(code, 1)
      assert.match(err, /picket ca rotate --emergency/)
    }
  })

  for (const args of [
    ['revoke'],
    ['revoke', '/a', '--serial', '01'],
    ['revoke', '--serial', '1', '--authority', 'x'],
  ]) {
    test(`${args.join(' ')} is wrong usage`, async () => assert.equal((await asOperator(...args)).code, 2))
  }
})

test('a line of progress names a few of those who are waited for and counts all', () => {
  const laggard = (name: string) => {
    const spiffeId = `spiffe://bank.test/${name}`
    return { spiffeId, instanceId: '1f3a9c2e-0000', reason: 'has not acknowledged' }
  }
  const progress: RotationProgress = {
    id: 'r',
    reason: 'ordered',
    phase: 'distributing',
    startedAtMs: 0,
    phaseDeadlineAtMs: 0,
    connected: 300,
    followed: 41,
    laggards: ['a', 'b', 'ns/c', 'd'].map(laggard),
    quorumPercent: 100,
  }
  assert.equal(
    describeProgress(progress),
    'distributing: waiting until sidecars know the new authority (41 of 300): ' +
      'a 1f3a9c2e, b 1f3a9c2e, ns/c 1f3a9c2e, and 256 more have not followed',
  )
  const own = { spiffeId: 'the control plane', instanceId: '', reason: 'renews its own SVIDs' }
  const alone = { ...progress, connected: 1, followed: 0, laggards: [laggard('a'), own] }
  assert.match(
    describeProgress(alone),
    /\(0 of 1\): a 1f3a9c2e has not followed; the control plane renews its own SVIDs$/,
  )
})
