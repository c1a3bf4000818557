import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { startMesh, bankPolicy, type Mesh } from '../support/mesh.ts'

suite('a sidecar', () => {
  let mesh: Mesh
  let release: (() => void) | undefined
  before(async () => {
    mesh = await startMesh({
      policy: bankPolicy,
      services: {
        gateway: { callerOnly: true },
        accounts: {
          handler: (request, response) => {
            request.resume()
            if (request.url === '/accounts/slow') release = () => response.end('slow but sure')
            else response.end('quick')
          },
        },
      },
    })
  })
  after(() => mesh?.[Symbol.asyncDispose]())

  test('killed with -9 is a typed error to its callers, and serves again after a restart', async () => {
    const client = mesh.service('gateway').client
    assert.equal((await client.get('accounts', '/accounts/alice')).status, 200)
    await mesh.service('accounts').sidecar.kill()
    const down = await client.get('accounts', '/accounts/alice')
    assert.ok([502, 503].includes(down.status), `status ${down.status}`)
    assert.ok(down.headers['x-picket-error'])
    await mesh.service('accounts').startSidecar()
    const status = await eventually(async () => {
      const { status } = await client.get('accounts', '/accounts/alice')
      return status === 200 ? status : undefined
    })
    assert.equal(status, 200)
  })

  test('told to stop finishes the request in flight before it ends', async () => {
    const { sidecar } = mesh.service('accounts')
    const slow = mesh.service('gateway').client.get('accounts', '/accounts/slow')
    await eventually(async () => release)
    sidecar.signal('SIGTERM')
    await new Promise((resolve) => setTimeout(resolve, 300))
    assert.equal(sidecar.running, true, 'it waits for the request')
    release?.()
    const { status, body } = await slow
    assert.deepEqual([status, body], [200, 'slow but sure'])
    assert.equal(await sidecar.exited, 0)
    await mesh.service('accounts').startSidecar()
  })
})
