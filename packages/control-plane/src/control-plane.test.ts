import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { connectSidecar, eventually, startTestControlPlane } from './testing.ts'

suite('smoke', () => {
  test('a sidecar attests', async () => {
    await using plane = await startTestControlPlane()
    await plane.register('payments')
    const svid = await plane.attest('payments')
    assert.equal(svid.id.uri, 'spiffe://bank.test/payments')
    await using sidecar = await connectSidecar(plane.client(svid), { advertise: '127.0.0.1:7443' })
    await sidecar.next('endpoints')
    await eventually(async () =>
      (await plane.operator.admin.getStatus()).sidecars[0]!.resources.every((r) => r.ackedRevision === r.sentRevision),
    )
  })
})
