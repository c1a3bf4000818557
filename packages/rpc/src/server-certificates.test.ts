import assert from 'node:assert/strict'
import { suite, test, type TestContext } from 'node:test'
import { createBundleSource, createRevocationList, type BundleSource } from '@picket/identity'
import { createTestAuthority, type TestAuthority } from '@picket/identity/testing'
import { createWatch, silentLogger, systemClock } from '@picket/runtime'
import { connectControlPlane } from './client.ts'
import { outcomeOf, startTestControlPlane, SVID_ANSWER } from './testing.ts'

const CSR = Buffer.from('csr')
const CONTROL_PLANE = 'spiffe://bank.test/picket/control-plane'

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
    const leave = new AbortController()
    const stream = client.sync(leave.signal)
    const slow = client.issue({ csr: CSR })
    await started.promise
    svid.set(second)
    await client.issue({ csr: CSR })
    finish.resolve()
    await slow
    leave.abort()
    assert.equal(await stream.closed, undefined)
    assert.deepEqual(callers, [first.chain[0]?.serialNumber, second.chain[0]?.serialNumber])
  })

  test('a caller that is put on the deny-list is out at once, its stream with it, and does not come back', async () => {
    await using controlPlane = await startTestControlPlane()
    const { authority, bundles } = controlPlane
    const [revoked, other] = [controlPlane.client('/payments'), controlPlane.client('/ledger')]
    const [ending, staying] = [revoked, other].map((client) => client.sync(new AbortController().signal))
    await Promise.all([ending, staying].map((stream) => new Promise<void>((resolve) => stream!.onOpen(resolve))))
    const list = createRevocationList([{ kind: 'spiffe-id', value: 'spiffe://bank.test/payments' }])
    bundles.set(createBundleSource([authority.bundle], list))
    assert.equal((await ending!.closed)?.code, 'ERR_RPC_UNAVAILABLE')
    assert.equal(await outcomeOf(revoked.issue({ csr: CSR })), 'ERR_RPC_UNAVAILABLE')
    assert.equal(await outcomeOf(other.issue({ csr: CSR })), 'ok')
    assert.equal(await Promise.race([staying!.closed, systemClock.sleep(50).then(() => 'open')]), 'open')
  })

  test('a client that was released connects again for its next call', async () => {
    const remotes = new Set<string>()
    await using controlPlane = await startTestControlPlane({
      issue: (_request, { remote }) => Promise.resolve({ svid: SVID_ANSWER.svid }).finally(() => remotes.add(remote)),
    })
    const client = controlPlane.client('/payments')
    for (let call = 0; call < 2; call++) await client.issue({ csr: CSR })
    assert.equal(remotes.size, 1)
    client.release()
    await client.issue({ csr: CSR })
    assert.equal(remotes.size, 2)
  })

  test('calls that were refused are counted by method and code', async () => {
    await using controlPlane = await startTestControlPlane()
    await outcomeOf(controlPlane.client().issue({ csr: CSR }))
    const counted = /picket_rpc_refused_total\{method="Certificates\/Issue",code="ERR_RPC_UNAUTHENTICATED"\} 1/
    assert.match(controlPlane.metrics.render(), counted)
  })

  suite('after a change of the bundles', () => {
    const connect = async (context: TestContext) => {
      const controlPlane = await startTestControlPlane()
      context.after(() => controlPlane[Symbol.asyncDispose]())
      const { authority, server } = controlPlane
      const bundles = createWatch<BundleSource>(authority.bundles)
      const client = connectControlPlane(
        { bundles, svid: createWatch(authority.issueSvid('/payments')), clock: systemClock, logger: silentLogger },
        { address: server.address, trustDomain: authority.trustDomain },
      )
      context.after(() => client[Symbol.asyncDispose]())
      const stream = client.sync(new AbortController().signal)
      await new Promise<void>((resolve) => stream.onOpen(resolve))
      return { authority, bundles, client, stream }
    }

    test('a connection whose server still verifies stays, with its streams', async (context) => {
      const { authority, bundles, client, stream } = await connect(context)
      const further = createTestAuthority('bank.test').bundle.x509Authorities
      const grown = { ...authority.bundle, x509Authorities: [...authority.bundle.x509Authorities, ...further] }
      bundles.set(createBundleSource([grown], createRevocationList([{ kind: 'serial', value: '0102' }])))
      assert.equal(await outcomeOf(client.issue({ csr: CSR })), 'ok')
      assert.equal(await Promise.race([stream.closed, systemClock.sleep(50).then(() => 'open')]), 'open')
      assert.equal(client.keyExchangeGroup, 'X25519MLKEM768')
      client.release()
      assert.equal(client.keyExchangeGroup, 'X25519MLKEM768', 'told until the next connection is there')
    })

    const gone: Record<string, (authority: TestAuthority) => BundleSource> = {
      'whose authority has left the bundle': () => createTestAuthority('bank.test').bundles,
      'that is on the deny-list': ({ bundle }) =>
        createBundleSource([bundle], createRevocationList([{ kind: 'spiffe-id', value: CONTROL_PLANE }])),
    }
    for (const [what, toBundles] of Object.entries(gone)) {
      test(`a server ${what} is left at once, and not spoken to again`, async (context) => {
        const { authority, bundles, client, stream } = await connect(context)
        bundles.set(toBundles(authority))
        assert.equal((await stream.closed)?.code, 'ERR_RPC_WRONG_SERVER')
        assert.equal(await outcomeOf(client.issue({ csr: CSR })), 'ERR_RPC_WRONG_SERVER')
      })
    }
  })
})
