import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { suite, test } from 'node:test'
import { Client, type ServiceError } from '@grpc/grpc-js'
import { createTestAuthority } from '@picket/identity/testing'
import { createWatch, formatHostPort, silentLogger, systemClock } from '@picket/runtime'
import { controlPlaneId } from './caller.ts'
import { connectControlPlane, type ControlPlaneClient } from './client.ts'
import { methodDefinition, type Method } from './contract.ts'
import { VerifyingCredentials } from './credentials.ts'
import type { SyncServerStream } from './handlers.ts'
import { RpcError } from './rpc-error.ts'
import { ENTRY, POLICY, startTestControlPlane, STATUS, SVID_ANSWER, type TestControlPlane } from './testing.ts'

const CSR = Buffer.from('csr')

const CALLS = {
  'Certificates/Attest': (client) => client.attest({ joinToken: 't', csr: CSR }),
  'Certificates/Issue': (client) => client.issue({ csr: CSR }),
  'Sync/Sync': async (client) => {
    const abort = new AbortController()
    const stream = client.sync(abort.signal)
    stream.onOpen(() => abort.abort())
    const failure = await stream.closed
    if (failure) throw failure
  },
  'Admin/CreateToken': (client) => client.admin.createToken({ selectors: [], ttlSeconds: 0 }),
  'Admin/CreateEntry': (client) => client.admin.createEntry(ENTRY),
  'Admin/ListEntries': (client) => client.admin.listEntries({ pageSize: 0, pageToken: '' }),
  'Admin/DeleteEntry': (client) => client.admin.deleteEntry('e1'),
  'Admin/PushPolicy': (client) => client.admin.pushPolicy(Buffer.from('abc')),
  'Admin/ListPolicies': (client) => client.admin.listPolicies(),
  'Admin/RotateSvids': (client) => client.admin.rotateSvids(''),
  'Admin/GetStatus': (client) => client.admin.getStatus(),
} satisfies Record<Method, (client: ControlPlaneClient) => Promise<unknown>>

const METHODS = Object.entries(CALLS)

/** `ok` or the code that the call fails with. */
async function outcomeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call
    return 'ok'
  } catch (thrown) {
    assert.ok(thrown instanceof RpcError, String(thrown))
    return thrown.code
  }
}

suite('who may call what', () => {
  const roles = [
    { who: 'nobody in particular', path: undefined, allowed: /Attest$/, refused: 'ERR_RPC_UNAUTHENTICATED' },
    { who: 'a workload', path: '/payments', allowed: /^(Certificates|Sync)\//, refused: 'ERR_RPC_DENIED' },
    { who: 'the operator', path: '/picket/operator', allowed: /Attest$|^Admin\//, refused: 'ERR_RPC_DENIED' },
    { who: 'a control plane', path: '/picket/control-plane', allowed: /Attest$/, refused: 'ERR_RPC_DENIED' },
    { who: 'an operator of a kind', path: '/picket/operator/2', allowed: /Attest$/, refused: 'ERR_RPC_DENIED' },
  ] as const
  for (const { who, path, allowed, refused } of roles) {
    test(`${who} may call what the table says and nothing else`, async () => {
      await using controlPlane = await startTestControlPlane()
      const client = controlPlane.client(path)
      for (const [method, call] of METHODS) {
        assert.equal(await outcomeOf(call(client)), allowed.test(method) ? 'ok' : refused, method)
      }
    })
  }

  test('a refused call leaves one record that says who, what and why', async () => {
    await using controlPlane = await startTestControlPlane()
    await outcomeOf(controlPlane.client('/payments').admin.getStatus())
    const [entry, ...more] = controlPlane.log.filter(({ message }) => message === 'call refused')
    assert.deepEqual(more, [])
    assert.equal(entry?.fields['method'], 'Admin/GetStatus')
    assert.equal(entry.fields['caller'], 'spiffe://bank.test/payments')
    assert.equal(entry.fields['code'], 'ERR_RPC_DENIED')
  })
})

suite('messages', () => {
  test('arrive as they were sent, in both directions', async () => {
    const seen: unknown[] = []
    await using controlPlane = await startTestControlPlane({
      attest: (request) => (seen.push(request), Promise.resolve(SVID_ANSWER)),
      admin: { createEntry: (draft) => (seen.push(draft), Promise.resolve(ENTRY)) },
    })
    const operator = controlPlane.client('/picket/operator')
    const { id: _id, createdAtMs: _createdAtMs, ...draft } = ENTRY
    assert.deepEqual(await operator.attest({ joinToken: 'secret', csr: CSR }), SVID_ANSWER)
    assert.deepEqual(await operator.admin.createEntry(draft), ENTRY)
    assert.deepEqual(seen, [{ joinToken: 'secret', csr: CSR }, draft])
    assert.deepEqual(await operator.admin.getStatus(), STATUS)
    assert.deepEqual(await operator.admin.listEntries({ pageSize: 1, pageToken: '' }), {
      entries: [ENTRY],
      nextPageToken: 'e1',
    })
    assert.deepEqual(await operator.admin.listPolicies(), [POLICY])
  })

  test('a policy of several pieces arrives whole', async () => {
    const digest: Buffer[] = []
    await using controlPlane = await startTestControlPlane({
      admin: { pushPolicy: (bundle) => (digest.push(bundle), Promise.resolve(POLICY)) },
    })
    const bundle = Buffer.alloc(3.5 * 1024 * 1024, 'policy')
    await controlPlane.client('/picket/operator').admin.pushPolicy(bundle)
    assert.ok(digest[0]?.equals(bundle))
  })

  test('an upload over 64 MiB is refused and not kept', async () => {
    await using controlPlane = await startTestControlPlane({
      admin: { pushPolicy: () => assert.fail('must not get here') },
    })
    const upload = controlPlane.client('/picket/operator').admin.pushPolicy(Buffer.alloc(65 * 1024 * 1024))
    assert.equal(await outcomeOf(upload), 'ERR_RPC_INVALID')
  })

  test('a handler’s own error reaches the caller with its reason; any other shows nothing of itself', async () => {
    await using controlPlane = await startTestControlPlane({
      attest: () => Promise.reject(new Error('the database password is hunter2')),
      issue: () => Promise.reject(new RpcError('ERR_RPC_CONFLICT', 'there is one', { reason: 'ERR_ENTRY_DUPLICATE' })),
    })
    const client = controlPlane.client('/payments')
    await assert.rejects(client.attest({ joinToken: 't', csr: CSR }), (thrown: RpcError) => {
      assert.equal(thrown.code, 'ERR_RPC_INTERNAL')
      assert.doesNotMatch(thrown.message, /hunter2/)
      return true
    })
    await assert.rejects(client.issue({ csr: CSR }), { code: 'ERR_RPC_CONFLICT', reason: 'ERR_ENTRY_DUPLICATE' })
    assert.equal(controlPlane.log.filter(({ level }) => level === 'error').length, 1)
  })

  test('a call ends at its deadline and when its signal aborts', async () => {
    await using controlPlane = await startTestControlPlane({ issue: () => new Promise(() => {}) })
    const client = controlPlane.client('/payments')
    assert.equal(await outcomeOf(client.issue({ csr: CSR }, { deadlineMs: 100 })), 'ERR_RPC_DEADLINE')
    const signal = AbortSignal.timeout(100)
    assert.equal(await outcomeOf(client.issue({ csr: CSR }, { signal })), 'ERR_RPC_CANCELLED')
    assert.equal(await outcomeOf(client.issue({ csr: CSR }, { signal })), 'ERR_RPC_CANCELLED')
  })
})

/** A call whose bytes are `bytes`, whatever the method expects. */
async function callWithBytes(controlPlane: TestControlPlane, method: Method, bytes: Buffer): Promise<string> {
  const { authority, server } = controlPlane
  const svid = authority.issueSvid('/payments')
  const expected = controlPlaneId(authority.trustDomain)
  const expectation = { svid, bundles: authority.bundles, expected, handshakeTimeoutMs: 5000 }
  const client = new Client(formatHostPort(server.address), new VerifyingCredentials(expectation, systemClock))
  try {
    return await new Promise<string>((resolve) => {
      const same = (value: Buffer): Buffer => value
      client.makeUnaryRequest(methodDefinition(method).path, same, same, bytes, (error: ServiceError | null) =>
        resolve(error ? `${error.code} ${error.details}` : 'ok'),
      )
    })
  } finally {
    client.close()
  }
}

suite('bytes that are no message', () => {
  test('malformed protocol buffers are one refused call, and the next call works', async () => {
    await using controlPlane = await startTestControlPlane()
    const malformed = Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 1])
    assert.match(await callWithBytes(controlPlane, 'Certificates/Issue', malformed), /^3 /)
    assert.equal(controlPlane.log.filter(({ message }) => message === 'call refused').length, 1)
    assert.equal(await callWithBytes(controlPlane, 'Certificates/Issue', Buffer.alloc(0)), 'ok')
    assert.match(await callWithBytes(controlPlane, 'Admin/CreateEntry', malformed), /^7 /)
  })

  test('a message over 4 MiB is refused', async () => {
    await using controlPlane = await startTestControlPlane()
    const client = controlPlane.client('/payments')
    assert.equal(await outcomeOf(client.issue({ csr: Buffer.alloc(4.5 * 1024 * 1024) })), 'ERR_RPC_EXHAUSTED')
    const answer = await callWithBytes(controlPlane, 'Certificates/Issue', Buffer.alloc(4.5 * 1024 * 1024))
    assert.match(answer, /^8 /)
    assert.equal(await outcomeOf(client.issue({ csr: CSR })), 'ok')
  })

  test('garbage on the port, before TLS and inside it, does not stop the server', async () => {
    await using controlPlane = await startTestControlPlane()
    const { port } = controlPlane.server.address
    for (const garbage of ['GET / HTTP/1.1\r\n\r\n', '\0'.repeat(4096), '\x16\x03\x01\x02\x00']) {
      const socket = connectTcp(port, '127.0.0.1')
      socket.on('error', () => {})
      socket.end(garbage)
      await once(socket.resume(), 'close')
    }
    for (const garbage of ['GET / HTTP/1.1\r\n\r\n', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + '\xff'.repeat(500)]) {
      for (const ALPNProtocols of [['h2'], []]) {
        const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols })
        socket.on('error', () => {})
        socket.once('secureConnect', () => socket.end(garbage, 'latin1'))
        await once(socket.resume(), 'close')
      }
    }
    assert.equal(await outcomeOf(controlPlane.client('/payments').issue({ csr: CSR })), 'ok')
  })
})

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
    assert.deepEqual([...codes].sort(), ['bad-san', 'expired', 'no-bundle'])
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

suite('the life of a server', () => {
  test('health says SERVING only between start and stop', async () => {
    await using controlPlane = await startTestControlPlane()
    const health = async (): Promise<number | undefined> => {
      const { authority, server } = controlPlane
      const expected = controlPlaneId(authority.trustDomain)
      const expectation = { svid: undefined, bundles: authority.bundles, expected, handshakeTimeoutMs: 5000 }
      const client = new Client(formatHostPort(server.address), new VerifyingCredentials(expectation, systemClock))
      const same = (value: Buffer): Buffer => value
      try {
        return await new Promise((resolve, reject) =>
          client.makeUnaryRequest('/grpc.health.v1.Health/Check', same, same, Buffer.alloc(0), (error, answer) =>
            error ? reject(error) : resolve(answer?.[1]),
          ),
        )
      } finally {
        client.close()
      }
    }
    assert.equal(await health(), 2)
    controlPlane.server.setServing(true)
    assert.equal(await health(), 1)
  })

  test('a stop ends streams with UNAVAILABLE, lets calls finish to the deadline, and frees the port', async () => {
    const started = Promise.withResolvers<void>()
    await using controlPlane = await startTestControlPlane({
      async issue() {
        started.resolve()
        await sleep(150)
        return { svid: SVID_ANSWER.svid }
      },
    })
    const client = controlPlane.client('/payments')
    const stream = client.sync(new AbortController().signal)
    const opened = Promise.withResolvers<void>()
    stream.onOpen(opened.resolve)
    await opened.promise
    const call = outcomeOf(client.issue({ csr: CSR }))
    await started.promise
    await controlPlane.server[Symbol.asyncDispose]()
    assert.equal((await stream.closed)?.code, 'ERR_RPC_UNAVAILABLE')
    assert.equal(await call, 'ok')
    assert.equal(await outcomeOf(client.issue({ csr: CSR })), 'ERR_RPC_UNAVAILABLE')
  })

  test('the two ends of a stream notice each other’s death', async () => {
    const streams: SyncServerStream[] = []
    let ended = 0
    await using controlPlane = await startTestControlPlane({
      sync(stream) {
        streams.push(stream)
        stream.onEnd(() => (ended += 1))
      },
    })
    const dying = controlPlane.client('/payments')
    const abort = new AbortController()
    const first = dying.sync(abort.signal)
    const opened = Promise.withResolvers<void>()
    first.onOpen(opened.resolve)
    await opened.promise
    await dying[Symbol.asyncDispose]()
    assert.equal(await first.closed, undefined)
    while (ended < 1) await sleep(5)
    assert.equal(streams[0]?.send({ kind: 'rotate-svid' }), false)

    const second = controlPlane.client('/payments').sync(new AbortController().signal)
    const reopened = Promise.withResolvers<void>()
    second.onOpen(reopened.resolve)
    await reopened.promise
    streams[1]?.end(new RpcError('ERR_RPC_DENIED', 'no entry any more'))
    assert.equal((await second.closed)?.code, 'ERR_RPC_DENIED')
    assert.equal(ended, 2)
  })
})
