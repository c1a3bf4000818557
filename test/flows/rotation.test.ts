import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { underLoad } from '../support/load.ts'
import { startBankMesh, type Mesh } from '../support/mesh.ts'

suite('rotation', () => {
  let mesh: Mesh
  before(async () => {
    mesh = await startBankMesh()
  })
  after(() => mesh?.[Symbol.asyncDispose]())

  test('gives every sidecar a new key and serial number under load without a failed request', async () => {
    const gateway = mesh.service('gateway').appClient
    const serials = async (): Promise<Set<string>> =>
      new Set((await mesh.operator.status()).sidecars.map(({ svidSerial }) => svidSerial))
    const before = await serials()
    const load = await underLoad(
      () => gateway.get('gateway', '/accounts/alice'),
      async () => {
        for (let round = 0; round < 3; round++) for (const { name } of mesh.services) await mesh.rotate(name)
      },
    )
    assert.deepEqual(load.unexpected, {})
    assert.ok(load.answered > 100, `only ${load.answered} requests`)
    assert.deepEqual(
      [...(await serials())].filter((serial) => before.has(serial)),
      [],
      'no old serial number is in use',
    )
  })

  test('can be asked for on the command line', async () => {
    const { code, stdout, stderr } = await mesh.picket('cert', 'rotate', '/payments', '-o', 'json')
    assert.equal(code, 0, stderr)
    assert.match(stdout, /spiffe:\/\/bank\.test\/payments/)
  })

  test('is refused to an identity that was withdrawn, which keeps serving until its SVID ends', async () => {
    await mesh.withdraw('fraud')
    const { operator } = mesh
    const serial = (await operator.status()).sidecars.find(({ service }) => service === 'fraud')?.svidSerial
    await assert.rejects(mesh.rotate('fraud'))
    const now = (await operator.status()).sidecars.find(({ service }) => service === 'fraud')
    assert.ok(now === undefined || now.svidSerial === serial)
  })
})
