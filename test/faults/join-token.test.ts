import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { writeFile } from 'node:fs/promises'
import { formatHostPort } from '@picket/runtime'
import { bankPolicy, runPicket, startMesh, type Mesh } from '../support/mesh.ts'

suite('enrollment', () => {
  let mesh: Mesh
  before(async () => {
    mesh = await startMesh({ policy: bankPolicy, services: { accounts: { callerOnly: true } } })
  })
  after(() => mesh?.[Symbol.asyncDispose]())

  async function sidecarWith(token: string): Promise<{ code: number; stderr: string }> {
    const tokenFile = join(mesh.directory, 'other-token')
    await writeFile(tokenFile, token, { mode: 0o600 })
    const flags = {
      'control-plane': formatHostPort(mesh.controlPlaneAddress),
      'trust-domain': mesh.trustDomain,
      'trust-bundle': join(mesh.directory, 'control-plane', 'trust-bundle.pem'),
      'join-token-file': tokenFile,
      'state-dir': join(mesh.directory, 'other-state'),
      'outbound-listener': '127.0.0.1:0',
      admin: '127.0.0.1:0',
    }
    return runPicket(['sidecar', ...Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value])])
  }

  test('is refused to a join token that was used before', async () => {
    const { stderr, code } = await sidecarWith(mesh.service('accounts').joinToken)
    assert.equal(code, 1, stderr)
    assert.match(stderr, /token/)
  })

  test('is refused to a token that was never made', async () => {
    const { stderr, code } = await sidecarWith('not-a-token-of-this-control-plane')
    assert.equal(code, 1, stderr)
    assert.match(stderr, /token/)
  })

  const badIds = [
    'spiffe://BANK.test/x',
    'spiffe://other.test/x',
    'spiffe://bank.test',
    'spiffe://bank.test/a//b',
    'https://bank.test/x',
    'spiffe://bank.test/a/../b',
  ]
  for (const id of badIds) {
    test(`has no entry for the invalid SPIFFE ID ${id}`, async () => {
      const { code, stderr } = await mesh.picket('entry', 'create', id, '--selector', 'service:x')
      assert.ok(code === 1 || code === 2, `exit code ${code}`)
      assert.match(stderr, /spiffe/i)
      assert.equal((await mesh.operator.status()).entries, 1, 'nothing was created')
    })
  }
})
