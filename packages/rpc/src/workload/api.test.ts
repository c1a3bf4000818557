import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Client } from '@grpc/grpc-js'
import { RpcError } from '../rpc-error.ts'
import { serviceDefinitions, WORKLOAD_API } from './definitions.ts'
import { callUnary, HEADER, openStream, startTestWorkloads, textOf, svidState, toMetadata } from './testing.ts'

const STREAMS = ['FetchX509SVID', 'FetchX509Bundles', 'FetchJWTBundles'] as const
const denied = new RpcError('ERR_RPC_DENIED', 'no identity issued')

type Headers = Readonly<Record<string, string | readonly string[]>>

/** Every method once, with a request that is good. */
const METHODS: Readonly<Record<string, (client: Client, headers: Headers) => Promise<unknown>>> = {
  ...Object.fromEntries(
    STREAMS.map((method) => [method, (client: Client, headers: Headers) => openStream(client, method, headers).next()]),
  ),
  FetchJWTSVID: (client, headers) => callUnary(client, 'FetchJWTSVID', { audience: ['a'] }, headers),
  ValidateJWTSVID: (client, headers) => callUnary(client, 'ValidateJWTSVID', { audience: 'a', svid: 't' }, headers),
}

suite('the security header', () => {
  const WRONG: readonly Headers[] = [
    {},
    { 'workload.spiffe.io': 'True' },
    { 'workload.spiffe.io': 'false' },
    { 'workload.spiffe.io': '' },
    { 'workload.spiffe.io': ['true', 'true'] },
    { 'workload.spiffe.io': 'true, true' },
    { 'workload-spiffe-io': 'true' },
  ]
  for (const [method, call] of Object.entries(METHODS)) {
    test(`${method} is refused without it, before anybody is asked who calls`, async () => {
      await using workloads = await startTestWorkloads()
      for (const headers of WRONG) {
        assert.match(textOf(await call(workloads.client(), headers)), /^INVALID_ARGUMENT: the security header/)
      }
      assert.equal(workloads.attested, 0)
      assert.equal(typeof (await call(workloads.client(), HEADER)), 'object')
      assert.equal(workloads.attested, 1)
    })
  }

  test('it is looked at before the message', async () => {
    await using workloads = await startTestWorkloads()
    const malformed = Buffer.from([0xff])
    assert.match(textOf(await callUnary(workloads.client(), 'FetchJWTSVID', malformed, {})), /security header/)
    assert.match(
      textOf(await callUnary(workloads.client(), 'FetchJWTSVID', malformed)),
      /^INVALID_ARGUMENT: .*well-formed/,
    )
    const stream = openStream(workloads.client(), 'FetchX509SVID', HEADER, malformed)
    assert.match(textOf(await stream.next()), /^INVALID_ARGUMENT: .*well-formed/)
  })
})

suite('streams', () => {
  test('tell the full state at once, and again when it changes', async () => {
    await using workloads = await startTestWorkloads()
    const { next } = openStream(workloads.client(), 'FetchX509SVID')
    const first = (await next()) as { svids: unknown[]; crl: Buffer[]; federatedBundles: Record<string, Buffer> }
    assert.deepEqual(first.svids, [
      {
        spiffeId: 'spiffe://bank.test/payments',
        x509Svid: Buffer.from('chain'),
        x509SvidKey: Buffer.from('key'),
        bundle: Buffer.from('bundle'),
        hint: '',
      },
    ])
    assert.deepEqual(first.crl, [Buffer.from('crl')])
    assert.deepEqual({ ...first.federatedBundles }, { 'spiffe://partner.test': Buffer.from('partner') })
    workloads.svids.set(svidState(''))
    workloads.svids.set(svidState('internal'))
    const second = (await next()) as { svids: { hint: string }[] }
    assert.equal(second.svids[0]?.hint, 'internal', 'a state of the same content is no message')
  })

  test('bundles are maps by trust domain', async () => {
    await using workloads = await startTestWorkloads()
    const x509 = (await openStream(workloads.client(), 'FetchX509Bundles').next()) as { bundles: object }
    assert.deepEqual({ ...x509.bundles }, { 'spiffe://bank.test': Buffer.from('b') })
    const jwt = (await openStream(workloads.client(), 'FetchJWTBundles').next()) as { bundles: object }
    assert.deepEqual({ ...jwt.bundles }, { 'spiffe://bank.test': Buffer.from('{"keys":[]}') })
  })

  test('a caller without identity is denied, also in the middle of a stream', async () => {
    await using workloads = await startTestWorkloads()
    const { next } = openStream(workloads.client(), 'FetchX509SVID')
    await next()
    workloads.svids.set(denied)
    assert.equal(await next(), 'PERMISSION_DENIED: no identity issued')
    assert.equal(await openStream(workloads.client(), 'FetchX509SVID').next(), 'PERMISSION_DENIED: no identity issued')
  })

  test('who cannot be identified is denied; a failure of ours shows nothing of itself', async () => {
    await using unknown = await startTestWorkloads({ attest: () => Promise.reject(denied) })
    assert.match(textOf(await openStream(unknown.client(), 'FetchX509SVID').next()), /^PERMISSION_DENIED/)
    await using broken = await startTestWorkloads({ attest: () => Promise.reject(new Error('/etc/secret')) })
    assert.equal(await openStream(broken.client(), 'FetchX509SVID').next(), 'INTERNAL: internal error')
    assert.equal(broken.log.find(({ level }) => level === 'error')?.message, 'workload call failed')
  })

  test('a state that cannot be made ends the stream, not the server', async () => {
    const failing = {
      get value(): never {
        throw new TypeError('broken')
      },
      subscribe: () => ({ [Symbol.dispose]() {} }),
    }
    await using workloads = await startTestWorkloads({ x509Svids: () => failing })
    assert.equal(await openStream(workloads.client(), 'FetchX509SVID').next(), 'INTERNAL: internal error')
    assert.equal(typeof (await openStream(workloads.client(), 'FetchX509Bundles').next()), 'object')
  })

  test('a reader that does not read misses states, not the newest', async () => {
    await using workloads = await startTestWorkloads()
    const { stream, next } = openStream(workloads.client(), 'FetchX509SVID')
    await next()
    stream.pause()
    const large = 'x'.repeat(1024 * 1024)
    for (let round = 0; round < 50; round++) {
      workloads.svids.set(svidState(`${round} ${large}`))
      await new Promise((resolve) => setImmediate(resolve))
    }
    stream.resume()
    const seen: string[] = []
    while (!seen.at(-1)?.startsWith('49 ')) {
      const message = (await next()) as { svids: { hint: string }[] }
      seen.push(message.svids[0]!.hint.slice(0, 3))
    }
    assert.ok(seen.length < 50, `${seen.length} messages`)
  })

  test('the end of the server is UNAVAILABLE, for which clients come back', async () => {
    const workloads = await startTestWorkloads()
    const { next } = openStream(workloads.client(), 'FetchX509SVID')
    await next()
    const stopped = workloads[Symbol.asyncDispose]()
    assert.match(textOf(await next()), /^UNAVAILABLE/)
    await stopped
  })
})

suite('JWT-SVIDs', () => {
  const BAD_FETCH: readonly (readonly [string, object, RegExp])[] = [
    ['no audience', { audience: [] }, /^INVALID_ARGUMENT: an audience is missing/],
    ['an empty audience', { audience: ['a', ''] }, /^INVALID_ARGUMENT: an audience is missing/],
    ['a long audience', { audience: ['é'.repeat(1025)] }, /^INVALID_ARGUMENT: an audience is too long/],
    ['17 audiences', { audience: Array.from({ length: 17 }, String) }, /^INVALID_ARGUMENT: there are over 16/],
    ['100 000 audiences', { audience: Array.from({ length: 100_000 }, () => 'aaaa') }, /^RESOURCE_EXHAUSTED/],
  ]
  const BAD_VALIDATE: readonly (readonly [string, object, RegExp])[] = [
    ['no audience', { svid: 't' }, /^INVALID_ARGUMENT: an audience is missing/],
    ['no token', { audience: 'a' }, /^INVALID_ARGUMENT: the JWT-SVID is missing/],
    [
      'a token of 65 KiB',
      { audience: 'a', svid: 'x'.repeat(65 * 1024) },
      /^INVALID_ARGUMENT: the JWT-SVID is too long/,
    ],
  ]
  for (const [what, request, answer] of BAD_FETCH) {
    test(`FetchJWTSVID with ${what} is refused`, async () => {
      await using workloads = await startTestWorkloads()
      assert.match(textOf(await callUnary(workloads.client(), 'FetchJWTSVID', request)), answer)
    })
  }
  for (const [what, request, answer] of BAD_VALIDATE) {
    test(`ValidateJWTSVID with ${what} is refused`, async () => {
      await using workloads = await startTestWorkloads()
      assert.match(textOf(await callUnary(workloads.client(), 'ValidateJWTSVID', request)), answer)
    })
  }

  test('the handler gets distinct audiences, and the SPIFFE ID if there is one', async () => {
    const asked: unknown[] = []
    const fetchJwtSvids = (request: object) => (asked.push(request), Promise.resolve([]))
    await using workloads = await startTestWorkloads({ fetchJwtSvids })
    await callUnary(workloads.client(), 'FetchJWTSVID', { audience: ['a', 'b', 'a'] })
    await callUnary(workloads.client(), 'FetchJWTSVID', { audience: ['a'], spiffeId: 'spiffe://bank.test/x' })
    assert.deepEqual(asked, [
      { audience: ['a', 'b'], spiffeId: undefined },
      { audience: ['a'], spiffeId: 'spiffe://bank.test/x' },
    ])
  })

  test('claims come as a Struct', async () => {
    await using workloads = await startTestWorkloads()
    const answer = await callUnary(workloads.client(), 'ValidateJWTSVID', { audience: 'a', svid: 'spiffe://x/y' })
    const { spiffeId, claims } = answer as {
      spiffeId: string
      claims: { fields: Record<string, Record<string, unknown>> }
    }
    assert.equal(spiffeId, 'spiffe://x/y')
    assert.equal(claims.fields['exp']?.['numberValue'], 1)
    assert.equal(claims.fields['aud']?.['kind'], 'listValue')
    assert.equal(claims.fields['deep']?.['kind'], 'structValue')
  })

  test('who goes away before the answer aborts the work', async () => {
    const aborted = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    await using workloads = await startTestWorkloads({
      fetchJwtSvids: (_request, _caller, signal) => {
        signal.addEventListener('abort', () => aborted.resolve())
        asked.resolve()
        return new Promise(() => {})
      },
    })
    const { path, requestSerialize, responseDeserialize } = serviceDefinitions(WORKLOAD_API)['FetchJWTSVID']!
    const request = { audience: ['a'] }
    const metadata = toMetadata(HEADER)
    const client = workloads.client()
    const call = client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, () => {})
    await asked.promise
    call.cancel()
    await aborted.promise
  })
})
