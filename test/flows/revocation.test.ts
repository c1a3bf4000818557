import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { systemClock } from '@picket/runtime'
import { startFilesMesh } from '../support/files-mesh.ts'
import type { Mesh } from '../support/mesh.ts'

const TRIES = 100
/** Far above what is measured: a busy machine is no failure. */
const BOUND_MS = 5000
const REVOKED = 'spiffe://bank.test/gateway'
const CALLEE = 'spiffe://bank.test/files'

/** Two sidecars with live keep-alive connections between them, and an operator who revokes one of the two. */
suite('a revocation', { timeout: 175_000 }, () => {
  let mesh: Mesh
  before(async () => void (mesh = await startFilesMesh()))
  after(() => mesh?.[Symbol.asyncDispose]())

  const isAccepted = async (): Promise<boolean> => {
    const { status } = await mesh.service('gateway').client.get('files', '/here')
    return status === 200
  }

  async function until(accepted: boolean): Promise<void> {
    const endMs = systemClock.monotonicMs() + BOUND_MS
    while ((await isAccepted()) !== accepted) {
      assert.ok(systemClock.monotonicMs() < endMs, `still ${accepted ? 'refused' : 'accepted'} after ${BOUND_MS} ms`)
    }
  }

  /** From the order to the last request that was let through, while one follows the other without a pause. */
  async function cutOff(revoke: () => Promise<unknown>): Promise<number> {
    let lastAcceptedMs = 0
    let over = false
    const startedMs = systemClock.monotonicMs()
    const calls = (async () => {
      while (!over) if (await isAccepted()) lastAcceptedMs = systemClock.monotonicMs() - startedMs
    })()
    await revoke()
    await until(false)
    await systemClock.sleep(20)
    over = true
    await calls
    return lastAcceptedMs
  }

  test('of the callee ends what is called through it', async (t) => {
    const { revocations } = mesh.operator
    await until(true)
    const ms = await cutOff(() => revocations.create('spiffe-id', CALLEE))
    t.diagnostic(`the callee: last accepted request after ${ms.toFixed(1)} ms`)
    await revocations.delete('spiffe-id', CALLEE)
    await until(true)
  })

  test('takes effect on live connections within moments, and is taken back', async (t) => {
    const { revocations } = mesh.operator
    const took: number[] = []
    for (let round = 0; round <= TRIES; round++) {
      await until(true)
      const ms = await cutOff(() => revocations.create('spiffe-id', REVOKED))
      if (round > 0) took.push(ms) // the first finds code that never ran
      await revocations.delete('spiffe-id', REVOKED)
    }
    await until(true)
    took.sort((a, b) => a - b)
    const at = (share: number): string => took[Math.ceil(share * took.length) - 1]!.toFixed(1)
    t.diagnostic(`${TRIES} revocations to the last accepted request: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`)
    assert.ok(took.at(-1)! < BOUND_MS)
  })

  test('can be ordered on the command line, which says who enforces it', async (t) => {
    await until(true)
    const startedMs = systemClock.monotonicMs()
    const revoked = await mesh.picket('revoke', '/gateway', '--reason', 'stolen laptop', '-o', 'json')
    assert.equal(revoked.code, 0, revoked.stderr)
    await until(false)
    t.diagnostic(`picket revoke, as a process: ${Math.round(systemClock.monotonicMs() - startedMs)} ms`)
    const [item] = (JSON.parse(revoked.stdout) as { items: Record<string, unknown>[] }).items
    assert.deepEqual([item!['value'], item!['reason']], [REVOKED, 'stolen laptop'])
    const listed = await mesh.picket('revoke', '--list')
    assert.match(listed.stdout, /spiffe-id +spiffe:\/\/bank\.test\/gateway +stolen laptop/)
    const back = await mesh.picket('unrevoke', '/gateway')
    assert.equal(back.code, 0, back.stderr)
    await until(true)
    assert.equal((await mesh.picket('unrevoke', '/gateway')).code, 1, 'it is not there any more')
  })
})
