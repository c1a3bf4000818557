import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { underLoad } from '../support/load.ts'
import { bankPolicy, frozenPaymentsPolicy, startBankMesh, type Mesh } from '../support/mesh.ts'

const payment = { from: 'alice', to: 'bob', amountMinor: 1250 }

suite('a policy rollout', () => {
  let mesh: Mesh
  before(async () => {
    mesh = await startBankMesh()
  })
  after(() => mesh?.[Symbol.asyncDispose]())
  const pay = (): Promise<{ status: number }> => mesh.service('gateway').appClient.post('gateway', '/payments', payment)

  test('flips a decision on live connections, without a restart, and back', async () => {
    const { frozen, thawed } = await frozenPaymentsPolicy(mesh.directory)
    assert.equal((await pay()).status, 201)
    await mesh.pushPolicy(frozen)
    assert.equal((await pay()).status, 403)
    await mesh.pushPolicy(thawed)
    assert.equal((await pay()).status, 201)
  })

  test('does not disturb calls that both revisions allow', async () => {
    const { frozen, thawed } = await frozenPaymentsPolicy(mesh.directory)
    const gateway = mesh.service('gateway').appClient
    const load = await underLoad(
      () => gateway.get('gateway', '/accounts/bob'),
      async () => {
        await mesh.pushPolicy(frozen)
        await mesh.pushPolicy(thawed)
      },
    )
    assert.deepEqual(load.unexpected, {})
    assert.ok(load.answered > 0)
  })

  const refused = {
    truncated: async () => (await readFile(bankPolicy)).subarray(0, 5000),
    'not a bundle': async () => Buffer.from('package picket.authz\n'),
    empty: async () => Buffer.alloc(0),
    oversized: async () => Buffer.alloc(17 * 1024 * 1024, 1),
  }
  for (const [what, bytes] of Object.entries(refused)) {
    test(`is refused as a whole when the file is ${what}: a clear error, and nothing has changed`, async () => {
      const file = join(mesh.directory, 'refused.tar.gz')
      await writeFile(file, await bytes())
      const active = (await mesh.operator.status()).policyRevision
      const { code, stderr } = await mesh.picket('policy', 'push', file)
      assert.equal(code, 1, stderr)
      assert.doesNotMatch(stderr, /\n\s+at /, 'no stack trace')
      assert.notEqual(stderr.trim(), '')
      assert.equal((await mesh.operator.status()).policyRevision, active)
      assert.equal((await pay()).status, 201)
    })
  }
})
