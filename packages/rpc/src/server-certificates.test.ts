import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createTestAuthority } from '@picket/identity/testing'
import { createWatch, silentLogger, systemClock } from '@picket/runtime'
import { connectControlPlane } from './client.ts'
import { outcomeOf, startTestControlPlane, SVID_ANSWER } from './testing.ts'

const CSR = Buffer.from('csr')

suite('certificates', () => {
  const servers = [
    { what: 'a workload in the place of the control plane', path: '/payments', reason: 'wrong-id' },
    { what: 'the operator in the place of the control plane', path: '/picket/operator', reason: 'wrong-id' },
    { what: 'a control plane of another trust domain', foreign: 'other.test', reason: 'no-bundle' },
    { what: 'a control plane of another authority', foreign: 'bank.test', reason: 'unknown-authority' },
  ] as const
  for (const { what, reason, ...server } of servers) {
    test(`the client says nothing to ${what}`, async () => {
      await using controlPlane = await startTestControlPlane(
        { attest: () => assert.fail('must not get here') },
        'path' in server ? { serverPath: server.path } : { serverIssuer: createTestAuthority(server.foreign) },
      )
      const attest = controlPlane.client().attest({ joinToken: 't', csr: CSR })
      await assert.rejects(attest, { code: 'ERR_RPC_WRONG_SERVER', reason, retryable: false })
    })
  }

  test('a caller of another trust domain, or with an expired certificate, does not get in', async () => {
    await using controlPlane = await startTestControlPlane()
    const strangers = [
      controlPlane.client('/payments', { issuer: createTestAuthority('other.test') }),
      controlPlane.client('/payments', { notAfter: new Date(Date.now() - 1000) }),
      controlPlane.client('/payments', { uris: ['spiffe://bank.test/payments', 'spiffe://bank.test/ledger'] }),
    ]
    for (const stranger of strangers) {
      assert.equal(await outcomeOf(stranger.attest({ joinToken: 't', csr: CSR })), 'ERR_RPC_UNAVAILABLE')
    }
    const refused = controlPlane.log.filter(({ message }) => message === 'connection refused')
    const codes = new Set(refused.map(({ fields }) => fields['code']))
    assert.deepEqual(codes, new Set(['no-bundle', 'expired', 'bad-san']))
  })

  test('a certificate that expires on a live connection ends its stream and its calls', async () => {
    await using controlPlane = await startTestControlPlane()
    const client = controlPlane.client('/payments', { notAfter: new Date(Date.now() + 1500) })
    const stream = client.sync(new AbortController().signal)
    assert.equal(await outcomeOf(client.issue({ csr: CSR })), 'ok')
    assert.equal((await stream.closed)?.code, 'ERR_RPC_UNAUTHENTICATED')
    assert.equal(await outcomeOf(client.issue({ csr: CSR })), 'ERR_RPC_UNAUTHENTICATED')
  })

  test('a new SVID means a new connection; calls in flight end on the old one', async () => {
    const started = Promise.withResolvers<void>()
    const finish = Promise.withResolvers<void>()
    const callers: (string | undefined)[] = []
    await using controlPlane = await startTestControlPlane({
      async issue(_request, caller) {
        callers.push(caller.peer?.leaf.serialNumber)
        started.resolve()
        if (callers.length === 1) await finish.promise
        return { svid: SVID_ANSWER.svid }
      },
    })
    const { authority, server } = controlPlane
    const [first, second] = [authority.issueSvid('/payments'), authority.issueSvid('/payments')]
    const svid = createWatch(first)
    await using client = connectControlPlane(
      { bundles: createWatch(authority.bundles), svid, clock: systemClock, logger: silentLogger },
      { address: server.address, trustDomain: authority.trustDomain },
    )
    const stream = client.sync(new AbortController().signal)
    const slow = client.issue({ csr: CSR })
    await started.promise
    svid.set(second)
    assert.equal(await stream.closed, undefined)
    await client.issue({ csr: CSR })
    finish.resolve()
    await slow
    assert.deepEqual(callers, [first.chain[0]?.serialNumber, second.chain[0]?.serialNumber])
  })
})
