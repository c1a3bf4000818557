import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { suite, test } from 'node:test'
import { parseTrustBundle } from '@picket/identity'
import { replaceBundleData } from '@picket/policy'
import { readShippedBundle } from '@picket/policy/testing'
import { CHUNK_BYTES, parseEndpoints, parseServiceConfig, RESOURCE_KINDS } from '@picket/rpc'
import { formatHostPort } from '@picket/runtime'
import { createResource } from '../resource.ts'
import { connectSidecar, eventually, startTestControlPlane, TRUST_DOMAIN } from '../testing.ts'

const shipped = await readShippedBundle()

suite('a stream', () => {
  test('brings trust bundle, service configuration, endpoints and policy, each acknowledged', async () => {
    await using plane = await startTestControlPlane()
    for (const name of ['payments', 'ledger']) await plane.register(name)
    await plane.operator.admin.pushPolicy(shipped)
    await using payments = await connectSidecar(plane.client(await plane.attest('payments')), {
      advertise: '127.0.0.1:1',
    })
    await using ledger = await connectSidecar(plane.client(await plane.attest('ledger')), { advertise: '127.0.0.1:2' })
    assert.ok((await payments.next('policy-bundle')).bytes.equals(shipped))
    assert.deepEqual(parseServiceConfig((await payments.next('service-config')).bytes), {
      service: { name: 'payments' },
    })
    parseTrustBundle((await payments.next('trust-bundle')).bytes.toString(), TRUST_DOMAIN)
    const { bytes } = await payments.next('endpoints', (endpoints) =>
      ['ledger', 'payments'].every((name) => endpoints.bytes.includes(name)),
    )
    const addresses = parseEndpoints(bytes).services.map(({ name, addresses: [first] }) => [
      name,
      formatHostPort(first!),
    ])
    assert.deepEqual(addresses, [
      ['ledger', '127.0.0.1:2'],
      ['payments', '127.0.0.1:1'],
    ])
    assert.equal(
      (await ledger.next('endpoints', ({ bytes: seen }) => seen.includes('ledger'))).bytes.equals(bytes),
      true,
    )
    const operator = plane.operator
    await eventually(async () => {
      const { sidecars } = await operator.admin.listSidecars({ pageSize: 0, pageToken: '' })
      return sidecars.every(
        ({ resources }) => resources.length === 7 && resources.every((r) => r.ackedRevision === r.sentRevision),
      )
    })
  })

  test('resumes: what is held is not sent again, what has changed meanwhile is', async () => {
    await using plane = await startTestControlPlane()
    await plane.register('payments')
    await plane.operator.admin.pushPolicy(shipped)
    const client = plane.client(await plane.attest('payments'))
    const first = await connectSidecar(client)
    for (const kind of RESOURCE_KINDS) await first.next(kind)
    await first[Symbol.asyncDispose]()
    const held = first.received.map(({ kind, revision }) => ({ kind, revision }))

    await using second = await connectSidecar(client, { held })
    assert.deepEqual(await plane.operator.admin.rotateSvids(''), ['spiffe://bank.test/payments'])
    await eventually(() => second.rotations === 1)
    assert.deepEqual(second.received, [])
    await second[Symbol.asyncDispose]()

    await plane.operator.admin.pushPolicy(
      await replaceBundleData(shipped, { roles: {}, routes: {} }, { revision: 'next' }),
    )
    await using third = await connectSidecar(client, { held })
    assert.equal((await third.next('policy-bundle')).revision, 'next')
    assert.equal(third.received.length, 1)
  })

  test('brings endpoints that change as deltas that come to the same', async () => {
    await using plane = await startTestControlPlane()
    for (const name of ['payments', 'ledger', 'fraud']) await plane.register(name)
    const connect = async (name: string, port: number) =>
      connectSidecar(plane.client(await plane.attest(name)), {
        advertise: `127.0.0.1:${port}`,
        takesDeltas: true,
        instanceId: `${name} ${port}`,
      })
    await using watching = await connect('payments', 1)
    await using joined = new AsyncDisposableStack()
    for (let port = 2; port < 12; port++) joined.use(await connect(port % 2 ? 'ledger' : 'fraud', port))
    const last = ({ bytes }: { bytes: Buffer }): boolean => bytes.includes(':10"') && bytes.includes(':11"')
    const { bytes, revision } = await watching.next('endpoints', last)
    assert.equal(parseEndpoints(bytes).services.flatMap(({ addresses }) => addresses).length, 11)
    assert.equal(createResource('endpoints', bytes).revision, revision)
  })

  test('carries a policy of several pieces, and flips it live', async () => {
    await using plane = await startTestControlPlane()
    await plane.register('payments')
    const roles = { '/gateway': Array.from({ length: 60_000 }, () => randomBytes(24).toString('base64')) }
    const large = await replaceBundleData(shipped, { roles, routes: {} }, { revision: 'large' })
    assert.ok(large.length > CHUNK_BYTES, `${large.length}`)
    await using sidecar = await connectSidecar(plane.client(await plane.attest('payments')))
    await sidecar.next('endpoints')
    await plane.operator.admin.pushPolicy(large)
    assert.ok((await sidecar.next('policy-bundle')).bytes.equals(large))
    await plane.operator.admin.pushPolicy(shipped)
    await sidecar.next('policy-bundle', ({ bytes }) => bytes.equals(shipped))
  })

  test('shows a refusal in the status, and does not send the refused revision again', async () => {
    await using plane = await startTestControlPlane()
    await plane.register('payments')
    await plane.operator.admin.pushPolicy(shipped)
    await using sidecar = await connectSidecar(plane.client(await plane.attest('payments')), {}, 'nack')
    const { revision } = await sidecar.next('policy-bundle')
    const operator = plane.operator
    const refusal = {
      kind: 'policy-bundle',
      sentRevision: revision,
      ackedRevision: '',
      nackCode: 'ERR_TEST',
      nackMessage: 'will not have it',
    }
    await eventually(async () => {
      const [status] = (await operator.admin.listSidecars({ pageSize: 0, pageToken: '' })).sidecars
      const policy = status?.resources.find(({ kind }) => kind === 'policy-bundle')
      return policy?.nackCode !== '' && (assert.deepEqual(policy, refusal), true)
    })
    assert.equal(sidecar.received.filter(({ kind }) => kind === 'policy-bundle').length, 1)
  })

  test('shows what the sidecar reports, and that it is gone when it is', async () => {
    await using plane = await startTestControlPlane()
    await plane.register('payments')
    const sidecar = await connectSidecar(plane.client(await plane.attest('payments')))
    const report = {
      svidSerial: '0a',
      svidNotAfterMs: Date.now() + 1000,
      keyExchangeGroup: 'X25519MLKEM768',
      ready: true,
    }
    sidecar.stream.send({
      kind: 'report',
      ...report,
      notReadyReasons: [],
      requestsAllowed: 5,
      requestsDenied: 6,
      svidRotations: 7,
      authorityKeyIds: [],
      svidKeyAlgorithm: 'ec-p256',
    })
    const operator = plane.operator
    const shown = async (): Promise<unknown[]> => {
      const { connected, ready, svidSerial, requestsAllowed, svidRotations } = (
        await operator.admin.listSidecars({ pageSize: 0, pageToken: '' })
      ).sidecars[0]!
      return [connected, ready, svidSerial, requestsAllowed, svidRotations]
    }
    await eventually(async () => (await shown())[1] === true)
    assert.deepEqual(await shown(), [true, true, '0a', 5, 7])
    await sidecar[Symbol.asyncDispose]()
    await eventually(async () => (await shown())[0] === false)
    assert.deepEqual(await shown(), [false, false, '0a', 5, 7])
  })

  test('takes a report that comes right behind Hello', async () => {
    await using plane = await startTestControlPlane()
    await plane.register('payments')
    const client = plane.client(await plane.attest('payments'))
    const stream = client.sync(new AbortController().signal)
    stream.send({ kind: 'hello', instanceId: 'one', version: '', advertise: '', held: [] })
    const counts = {
      requestsAllowed: 1,
      requestsDenied: 2,
      svidRotations: 3,
      authorityKeyIds: [],
      svidKeyAlgorithm: 'ec-p256',
    }
    const svid = { svidSerial: '0a', svidNotAfterMs: 1, keyExchangeGroup: '' }
    stream.send({ kind: 'report', ...svid, ready: true, notReadyReasons: [], ...counts })
    const operator = plane.operator
    await eventually(
      async () => (await operator.admin.listSidecars({ pageSize: 0, pageToken: '' })).sidecars[0]?.ready === true,
    )
  })

  test('begins with one Hello, and has no other', async () => {
    await using plane = await startTestControlPlane()
    await plane.register('payments')
    const client = plane.client(await plane.attest('payments'))
    const hello = { kind: 'hello', instanceId: 'one', version: '', advertise: '', held: [] } as const
    const ack = { kind: 'ack', resource: 'endpoints', revision: 'r' } as const
    for (const messages of [[ack], [hello, hello]]) {
      const stream = client.sync(new AbortController().signal)
      for (const message of messages) stream.send(message)
      assert.equal((await stream.closed)?.code, 'ERR_RPC_INVALID', JSON.stringify(messages))
    }
    await using sidecar = await connectSidecar(client)
    await sidecar.next('endpoints')
    sidecar.stream.send(hello)
    assert.equal((await sidecar.stream.closed)?.code, 'ERR_RPC_INVALID')
  })

  const wrong = [
    ['an address that nobody can reach', { advertise: '0.0.0.0:7443' }],
    ['no address', { advertise: 'somewhere' }],
    ['a host that no other sidecar takes', { advertise: `${'a'.repeat(300)}:1` }],
    ['no instance', { instanceId: '' }],
    ['an instance that steers a terminal', { instanceId: 'one\u001b[2J' }],
  ] as const
  for (const [what, hello] of wrong) {
    test(`is refused to a Hello with ${what}`, async () => {
      await using plane = await startTestControlPlane()
      await plane.register('payments')
      await using sidecar = await connectSidecar(plane.client(await plane.attest('payments')), hello)
      assert.equal((await sidecar.stream.closed)?.code, 'ERR_RPC_INVALID')
    })
  }

  test('is the newest of its instance: a second one ends the first', async () => {
    await using plane = await startTestControlPlane()
    await plane.register('payments')
    const client = plane.client(await plane.attest('payments'))
    await using first = await connectSidecar(client)
    await first.next('endpoints')
    await using second = await connectSidecar(client)
    await second.next('endpoints')
    assert.equal((await first.stream.closed)?.code, 'ERR_RPC_CONFLICT')
    await using sibling = await connectSidecar(client, { instanceId: 'two' })
    await sibling.next('endpoints')
    const { sidecars } = await plane.operator.admin.listSidecars({ pageSize: 0, pageToken: '' })
    assert.deepEqual(
      sidecars.map(({ instanceId, connected }) => [instanceId, connected]),
      [
        ['one', true],
        ['two', true],
      ],
    )
  })

  test('tells the sidecars of one SPIFFE ID to renew, and no others', async () => {
    await using plane = await startTestControlPlane()
    for (const name of ['payments', 'ledger']) await plane.register(name)
    await using payments = await connectSidecar(plane.client(await plane.attest('payments')))
    await using ledger = await connectSidecar(plane.client(await plane.attest('ledger')))
    for (const sidecar of [payments, ledger]) await sidecar.next('endpoints')
    assert.deepEqual(await plane.operator.admin.rotateSvids('spiffe://bank.test/ledger'), ['spiffe://bank.test/ledger'])
    await eventually(() => ledger.rotations === 1)
    assert.equal(payments.rotations, 0)
  })
})
