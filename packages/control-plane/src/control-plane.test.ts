import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import {
  createCsr,
  generateKeyPair,
  parseSpiffeId,
  verifyX509Svid,
  createBundleSource,
  parseTrustBundle,
} from '@picket/identity'
import { replaceBundleData } from '@picket/policy'
import { readShippedBundle } from '@picket/policy/testing'
import { CHUNK_BYTES, parseEndpoints, parseServiceConfig, RESOURCE_KINDS, RpcError } from '@picket/rpc'
import { formatHostPort } from '@picket/runtime'
import { connectSidecar, eventually, startTestControlPlane, toSvid, TRUST_DOMAIN } from './testing.ts'

const shipped = await readShippedBundle()

/** `ok`, or the code of the refusal. */
async function outcomeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call
    return 'ok'
  } catch (thrown) {
    assert.ok(thrown instanceof RpcError, String(thrown))
    return thrown.code
  }
}

suite('a certificate', () => {
  test('is had for a join token, and renewed with it', async () => {
    await using plane = await startTestControlPlane()
    await plane.register('payments', 120)
    const { token } = await plane.operator.admin.createToken({ selectors: ['service:payments'], ttlSeconds: 0 })
    const keyPair = generateKeyPair()
    const attested = await plane.client().attest({ joinToken: token, csr: createCsr(keyPair) })
    const svid = toSvid(attested.svid, keyPair)
    const bundle = parseTrustBundle(attested.trustBundle, TRUST_DOMAIN)
    const verdict = verifyX509Svid(svid.chain, createBundleSource([bundle]), new Date())
    assert.equal(verdict.kind === 'verified' && verdict.id.uri, 'spiffe://bank.test/payments')
    assert.ok(svid.notAfter.getTime() - Date.now() <= 120_000)

    const nextKeyPair = generateKeyPair()
    const renewed = toSvid((await plane.client(svid).issue({ csr: createCsr(nextKeyPair) })).svid, nextKeyPair)
    assert.equal(renewed.id.uri, svid.id.uri)
    assert.notEqual(renewed.chain[0]?.serialNumber, svid.chain[0]?.serialNumber)
    assert.equal(await outcomeOf(plane.client(renewed).issue({ csr: createCsr(generateKeyPair()) })), 'ok')
    assert.equal((await plane.operator.admin.getStatus()).issuedSvids, 3)
  })

  test('goes to exactly one of many that come at one time with one token', async () => {
    await using plane = await startTestControlPlane()
    await plane.register('payments')
    const { token } = await plane.operator.admin.createToken({ selectors: ['service:payments'], ttlSeconds: 0 })
    const clients = Array.from({ length: 4 }, () => plane.client())
    const attempts = Array.from({ length: 24 }, (_, index) =>
      outcomeOf(clients[index % 4]!.attest({ joinToken: token, csr: createCsr(generateKeyPair()) })),
    )
    const outcomes = await Promise.all(attempts)
    assert.equal(outcomes.filter((outcome) => outcome === 'ok').length, 1)
    assert.equal(outcomes.filter((outcome) => outcome === 'ERR_RPC_DENIED').length, 23)
    assert.equal((await plane.operator.admin.getStatus()).issuedSvids, 1)
  })

  test('is not had with a malformed, oversized or foreign CSR, which leaves the token good', async () => {
    await using plane = await startTestControlPlane()
    await plane.register('payments')
    const { token } = await plane.operator.admin.createToken({ selectors: ['service:payments'], ttlSeconds: 0 })
    const good = createCsr(generateKeyPair())
    const client = plane.client()
    const stolen = Buffer.from(good)
    stolen[stolen.length - 1]! ^= 1
    for (const csr of [
      Buffer.alloc(0),
      randomBytes(200),
      good.subarray(1),
      Buffer.concat([good, good]),
      stolen,
      Buffer.alloc(100_000),
    ]) {
      assert.equal(await outcomeOf(client.attest({ joinToken: token, csr })), 'ERR_RPC_INVALID')
    }
    const foreign = createCsr(generateKeyPair(), parseSpiffeId('spiffe://other.test/payments'))
    assert.equal(await outcomeOf(client.attest({ joinToken: token, csr: foreign })), 'ERR_RPC_DENIED')
    assert.equal(await outcomeOf(client.attest({ joinToken: 'guess', csr: good })), 'ERR_RPC_INVALID')
    assert.equal(await outcomeOf(client.attest({ joinToken: token, csr: good })), 'ok')
    assert.equal(await outcomeOf(client.attest({ joinToken: token, csr: good })), 'ERR_RPC_DENIED')
  })

  test('of another workload is not had by a renewal', async () => {
    await using plane = await startTestControlPlane()
    for (const name of ['payments', 'ledger']) await plane.register(name)
    const client = plane.client(await plane.attest('payments'))
    const csr = createCsr(generateKeyPair(), parseSpiffeId('spiffe://bank.test/ledger'))
    assert.equal(await outcomeOf(client.issue({ csr })), 'ERR_RPC_DENIED')
  })

  test('is refused, and the stream ended, once the entry is deleted', async () => {
    await using plane = await startTestControlPlane()
    const { id } = await plane.register('payments')
    const client = plane.client(await plane.attest('payments'))
    await using sidecar = await connectSidecar(client, { advertise: '127.0.0.1:7443' })
    await plane.register('ledger')
    await using other = await connectSidecar(plane.client(await plane.attest('ledger')))
    await other.next('endpoints', ({ bytes }) => bytes.includes('payments'))
    await plane.operator.admin.deleteEntry(id)
    assert.equal((await sidecar.stream.closed)?.code, 'ERR_RPC_DENIED')
    assert.equal(await outcomeOf(client.issue({ csr: createCsr(generateKeyPair()) })), 'ERR_RPC_DENIED')
    await using again = await connectSidecar(client)
    assert.equal((await again.stream.closed)?.code, 'ERR_RPC_DENIED')
    await other.next('endpoints', ({ bytes }) => !bytes.includes('payments'))
    assert.ok(plane.log.some(({ message }) => message === 'sidecar dismissed'))
  })
})

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
    const { bytes } = await payments.next('endpoints', (endpoints) => endpoints.bytes.includes('ledger'))
    const addresses = parseEndpoints(bytes).services.map(({ name, addresses: [first] }) => [
      name,
      formatHostPort(first!),
    ])
    assert.deepEqual(addresses, [
      ['ledger', '127.0.0.1:2'],
      ['payments', '127.0.0.1:1'],
    ])
    assert.equal(
      (await ledger.next('endpoints', (endpoints) => endpoints.bytes.includes('payments'))).bytes.equals(bytes),
      true,
    )
    const operator = plane.operator
    await eventually(async () => {
      const { sidecars } = await operator.admin.getStatus()
      return sidecars.every(
        ({ resources }) => resources.length === 4 && resources.every((r) => r.ackedRevision === r.sentRevision),
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
      const [status] = (await operator.admin.getStatus()).sidecars
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
    })
    const operator = plane.operator
    const shown = async (): Promise<unknown[]> => {
      const { connected, ready, svidSerial, requestsAllowed, svidRotations } = (await operator.admin.getStatus())
        .sidecars[0]!
      return [connected, ready, svidSerial, requestsAllowed, svidRotations]
    }
    await eventually(async () => (await shown())[1] === true)
    assert.deepEqual(await shown(), [true, true, '0a', 5, 7])
    await sidecar[Symbol.asyncDispose]()
    await eventually(async () => (await shown())[0] === false)
    assert.deepEqual(await shown(), [false, false, '0a', 5, 7])
  })

  const wrong = [
    ['an address that nobody can reach', { advertise: '0.0.0.0:7443' }],
    ['no address', { advertise: 'somewhere' }],
    ['no instance', { instanceId: '' }],
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
    const { sidecars } = await plane.operator.admin.getStatus()
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

suite('the operator', () => {
  test('finds credentials that only the same user can read, and where to call', async () => {
    await using plane = await startTestControlPlane()
    for (const name of ['svid.pem', 'key.pem', 'bundle.pem', 'address']) {
      assert.equal(statSync(join(plane.dataDir, 'operator', name)).mode & 0o777, 0o600, name)
    }
    const address = readFileSync(join(plane.dataDir, 'operator/address'), 'utf8')
    assert.equal(address, `${formatHostPort(plane.controlPlane.address)}\n`)
  })

  test('is told what is wrong with a request, with its code', async () => {
    await using plane = await startTestControlPlane()
    await plane.register('payments')
    const { admin } = plane.operator
    await assert.rejects(plane.register('payments'), { code: 'ERR_RPC_CONFLICT', reason: 'ERR_ENTRY_DUPLICATE' })
    await assert.rejects(plane.register('Payments'), {
      code: 'ERR_RPC_INVALID',
      reason: 'ERR_ENTRY_INVALID',
      message: /service: /,
    })
    await assert.rejects(admin.deleteEntry('none'), { code: 'ERR_RPC_NOT_FOUND', reason: 'ERR_ENTRY_MISSING' })
    await assert.rejects(admin.pushPolicy(Buffer.from('x')), { code: 'ERR_RPC_INVALID', reason: 'ERR_BUNDLE_FORMAT' })
    await assert.rejects(admin.listEntries({ pageSize: 1, pageToken: 'x' }), {
      code: 'ERR_RPC_INVALID',
      reason: 'ERR_PAGE',
    })
    await assert.rejects(admin.createToken({ selectors: [], ttlSeconds: 0 }), { code: 'ERR_RPC_INVALID' })
  })
})
