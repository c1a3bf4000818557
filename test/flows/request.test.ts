import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { startBankMesh, type Mesh } from '../support/mesh.ts'

const payment = { from: 'alice', to: 'bob', amountMinor: 1250 }

suite('a request through the mesh', () => {
  let mesh: Mesh
  before(async () => {
    mesh = await startBankMesh()
  })
  after(() => mesh?.[Symbol.asyncDispose]())

  test('reaches its app when policy allows it, hop by hop', async () => {
    const response = await mesh.service('gateway').appClient.post('gateway', '/payments', payment)
    assert.equal(response.status, 201, response.body)
    assert.deepEqual(JSON.parse(response.body), { accepted: true, ...payment })
  })

  test('is denied with its decision id when policy does not allow it', async () => {
    const { status, headers, body } = await mesh.service('support-portal').client.get('ledger', '/entries')
    assert.equal(status, 403)
    const denial = JSON.parse(body) as { error: string; decision_id: string }
    assert.equal(denial.error, 'denied')
    assert.equal(denial.decision_id, headers['x-request-id'])
  })

  test('leaves exactly one inbound record that says who, what and why', async () => {
    const ledger = mesh.service('ledger')
    const { headers } = await mesh.service('support-portal').client.get('ledger', '/entries?secret=1')
    const id = headers['x-request-id']
    const records = await eventually(async () => {
      const found = (await ledger.accessLog()).filter((record) => record.decision_id === id)
      return found.length > 0 ? found : undefined
    })
    assert.equal(records.length, 1)
    const [record] = records
    assert.equal(record?.caller, 'spiffe://bank.test/support-portal')
    assert.equal(record?.decision, 'deny')
    assert.equal(record?.reason, 'policy_denied')
    assert.equal(record?.status, 403)
    assert.equal(record?.path, '/entries', 'the query is not logged')
  })

  test('to a service that is not in the mesh is answered by the caller’s own sidecar', async () => {
    const { status, headers } = await mesh.service('gateway').client.get('no-such-service', '/')
    assert.ok(status === 404 || status === 503, `status ${status}`)
    assert.equal(headers['x-picket-error'], 'no_such_service')
  })

  test('to an app that is down is a 502 that says whose fault it is, and works again when the app is back', async () => {
    const accounts = mesh.service('accounts')
    const { client } = mesh.service('gateway')
    await accounts.stopApp()
    const down = await client.get('accounts', '/accounts/alice')
    assert.equal(down.status, 502)
    assert.ok(down.headers['x-picket-error'], 'the error is marked as the mesh’s own')
    await accounts.startApp()
    await eventually(async () => (await client.get('accounts', '/accounts/alice')).status === 200 || undefined)
  })
})
