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
import { RpcError } from '@picket/rpc'
import { formatHostPort } from '@picket/runtime'
import { connectSidecar, startTestControlPlane, toSvid, TRUST_DOMAIN } from './testing.ts'

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
    assert.equal(await outcomeOf(client.attest({ joinToken: token, csr: good })), 'ok', 'the answer may have been lost')
    const second = createCsr(generateKeyPair())
    assert.equal(await outcomeOf(client.attest({ joinToken: token, csr: second })), 'ERR_RPC_DENIED')
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
