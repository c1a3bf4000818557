/**
 * Two trust domains, each with its own control plane, federate over https_spiffe: a workload of bank.test calls one of
 * partner.test through both sidecars. Nothing of it works before both sides have said that they want it.
 */
import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { createMeshClient, type MeshResponse } from '@picket/demo'
import { formatHostPort, type HostPort } from '@picket/runtime'
import { eventually } from '../support/eventually.ts'
import { setFederatesWith } from '../support/federated-entry.ts'
import { bankPolicy, runPicket, startMesh, type AccessRecord, type Mesh, type MeshService } from '../support/mesh.ts'
import { freePort } from '../support/ports.ts'
import { skipUnless } from '../support/programs.ts'

const GATEWAY = 'spiffe://bank.test/gateway'

suite('two trust domains', () => {
  let partner: Mesh
  let bank: Mesh
  let route: HostPort
  const accounts = (): MeshService => partner.service('accounts')

  before(async () => {
    const endpoint = ['--bundle-endpoint', '127.0.0.1:0', '--federation-min-poll', '1s']
    const handler = { handler: (_: unknown, response: { end(text: string): unknown }) => void response.end('served') }
    const common = { policy: bankPolicy, controlPlaneFlags: endpoint }
    partner = await startMesh({ ...common, trustDomain: 'partner.test', services: { accounts: handler } })
    route = { host: '127.0.0.1', port: await freePort() }
    const target = `${formatHostPort(accounts().inbound)},spiffe://partner.test/accounts`
    const sidecarFlags = ['--outbound', `${formatHostPort(route)}=${target}`]
    bank = await startMesh({ ...common, services: { gateway: { callerOnly: true } }, sidecarFlags })
  })
  after(async () => {
    await bank?.[Symbol.asyncDispose]()
    await partner?.[Symbol.asyncDispose]()
  })

  /** On a connection of its own, so that each call is judged anew. */
  async function call(): Promise<MeshResponse> {
    using client = createMeshClient(route, true)
    return await client.get('accounts', '/accounts/alice')
  }

  async function handshakes(service: MeshService): Promise<AccessRecord[]> {
    return (await service.accessLog()).filter(({ kind }) => kind === 'handshake')
  }

  async function federate(mesh: Mesh, other: Mesh): Promise<void> {
    const log = await readFile(join(other.directory, 'control-plane.log'), 'utf8')
    const [, listen] = /"listen":"([^"]+)"[^\n]*"bundle endpoint serves"/.exec(log) ?? []
    const { trustDomain } = other
    const proof = ['--profile', 'https_spiffe', '--endpoint-id', `spiffe://${trustDomain}/picket/control-plane`]
    const bundle = ['--bundle', join(other.directory, 'control-plane', 'trust-bundle.pem')]
    const set = await mesh.picket('federation', 'set', trustDomain, '--url', `https://${listen}/`, ...proof, ...bundle)
    assert.deepEqual([set.code, set.stderr], [0, ''])
  }

  test('do not know each other to begin with', async () => {
    const { status, headers } = await call()
    assert.ok(status >= 500 && headers['x-picket-error'], `status ${status}`)
  })

  test('exchange bundles over https_spiffe, which alone opens no door', async () => {
    await federate(bank, partner)
    await federate(partner, bank)
    const { code, stdout } = await bank.picket('federation', 'list', '-o', 'json')
    assert.equal(code, 0)
    const [{ bundle, failure }] = (JSON.parse(stdout) as { items: [{ bundle: object; failure: unknown }] }).items
    assert.deepEqual([failure, 'sequence' in bundle], [null, true])
    assert.ok((await call()).status >= 500)
  })

  test('are still closed when only the caller’s entry federates: the callee refuses the handshake', async () => {
    await setFederatesWith(bank, 'gateway', ['partner.test'])
    const record = await eventually(async () => {
      assert.ok((await call()).status >= 500)
      return (await handshakes(accounts())).find(({ reason }) => reason === 'no-bundle')
    })
    assert.equal(record.direction, 'inbound')
  })

  test('are connected when both entries federate; then policy decides, and knows the caller’s trust domain', async () => {
    await setFederatesWith(partner, 'accounts', ['bank.test'])
    const denied = await eventually(async () => {
      const response = await call()
      return response.status === 403 ? response : undefined
    })
    const id = denied.headers['x-request-id']
    const record = await eventually(async () =>
      (await accounts().accessLog()).find((found) => found.decision_id === id),
    )
    assert.deepEqual([record.caller, record.decision], [GATEWAY, 'deny'])
    assert.match(String(record.detail), /trust domain bank\.test, not of partner\.test/)
  })

  test('exchange requests that policy allows', { skip: skipUnless('opa') }, async () => {
    const folder = join(partner.directory, 'partner-policy')
    await mkdir(folder)
    const entrypoint = '# METADATA\n# entrypoint: true\n'
    const allow = `${entrypoint}default allow := false\n\nallow if input.caller.spiffe_id == "${GATEWAY}"\n`
    const rego = `package picket.authz\n\n${allow}\n${entrypoint}default reason := "not the partner's gateway"\n`
    await writeFile(join(folder, 'authz.rego'), rego)
    const file = join(partner.directory, 'partner.tar.gz')
    const built = await runPicket(['policy', 'build', folder, '--bundle', file])
    assert.equal(built.code, 0, built.stderr)
    await partner.pushPolicy(file)
    const { status, body } = await call()
    assert.deepEqual([status, body], [200, 'served'])
  })

  test('find each other again after an emergency rotation, which waits for no partner', async () => {
    const rotated = await partner.picket('ca', 'rotate', '--x509', '--emergency')
    assert.equal(rotated.code, 0, rotated.stderr)
    const refreshed = await bank.picket('federation', 'refresh', 'partner.test')
    assert.equal(refreshed.code, 0, `the endpoint still proves itself to who holds the old bundle: ${refreshed.stderr}`)
    await eventually(async () => (await call()).status < 500 || undefined)
  })

  test('part at once when one side deletes the relationship, on live connections too', async () => {
    using live = createMeshClient(route, true)
    assert.ok((await live.get('accounts', '/accounts/alice')).status < 500)
    const { code, stderr } = await partner.picket('federation', 'delete', 'bank.test')
    assert.equal(code, 0, stderr)
    await eventually(async () => (await live.get('accounts', '/accounts/alice')).status >= 500 || undefined)
    assert.ok((await call()).status >= 500)
    const listed = await partner.picket('federation', 'list')
    assert.match(listed.stdout, /bank\.test .*NO-RELATIONSHIP/)
  })
})
