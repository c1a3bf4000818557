import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { systemClock } from '@picket/runtime'
import { underLoad } from '../support/load.ts'
import { startBankMesh, type Mesh } from '../support/mesh.ts'

suite('the control plane is killed', () => {
  let mesh: Mesh
  before(async () => {
    mesh = await startBankMesh()
  })
  after(() => mesh?.[Symbol.asyncDispose]())

  test('and no request fails; a sidecar restarted meanwhile serves from its last good state', async () => {
    const gateway = mesh.service('gateway').appClient
    const load = await underLoad(
      () => gateway.get('gateway', '/accounts/alice'),
      async () => {
        await systemClock.sleep(300)
        await mesh.controlPlane.kill()
        await systemClock.sleep(500)
        await mesh.service('ledger').restartSidecar()
      },
    )
    assert.deepEqual(load.unexpected, {})
    assert.ok(load.answered > 50, `only ${load.answered} requests`)

    const payment = { from: 'alice', to: 'bob', amountMinor: 1 }
    const paid = await gateway.post('gateway', '/payments', payment)
    assert.equal(paid.status, 201, 'the restarted ledger takes part')
    const denied = await mesh.service('support-portal').client.get('ledger', '/entries')
    assert.equal(denied.status, 403, 'and still refuses whom its policy refuses')
  })

  test('and comes back with everything it knew; sidecars resume by themselves', async () => {
    await mesh.startControlPlane()
    const status = await mesh.operator.until(
      'all sidecars are connected again',
      ({ sidecars }) => sidecars.length === mesh.services.length && sidecars.every(({ connected }) => connected),
    )
    assert.equal(status.entries, mesh.services.length)
    assert.notEqual(status.policyRevision, '')
    await mesh.rotate('payments')
  })
})
