import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { suite, test } from 'node:test'
import type { SyncServerStream } from './handlers.ts'
import { CHUNK_BYTES } from './chunks.ts'
import { methodDefinition } from './contract.ts'
import { RpcError } from './rpc-error.ts'
import { outcomeOf, startTestControlPlane, SVID_ANSWER } from './testing.ts'

const CSR = Buffer.from('csr')

suite('the life of a server', () => {
  test('health says SERVING only between start and stop', async () => {
    await using controlPlane = await startTestControlPlane()
    const same = (value: Buffer): Buffer => value
    const client = controlPlane.rawClient()
    const health = (): Promise<number | undefined> =>
      new Promise((resolve, reject) =>
        client.makeUnaryRequest('/grpc.health.v1.Health/Check', same, same, Buffer.alloc(0), (error, answer) =>
          error ? reject(error) : resolve(answer?.[1]),
        ),
      )
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

  test('no more than a few messages wait for a sidecar that does not read', async () => {
    const { promise: opened, resolve } = Promise.withResolvers<SyncServerStream>()
    await using controlPlane = await startTestControlPlane({ sync: resolve })
    const { path, requestSerialize, responseDeserialize } = methodDefinition('Sync/Sync')
    const deaf = controlPlane.rawClient('/payments').makeBidiStreamRequest(path, requestSerialize, responseDeserialize)
    deaf.on('error', () => {})
    const stream = await opened
    const chunk = { kind: 'policy-bundle', revision: 'r', index: 0, count: 9, totalBytes: 9 } as const
    const push = {
      kind: 'chunk',
      chunk: { ...chunk, sha256: Buffer.alloc(32), content: Buffer.alloc(CHUNK_BYTES), baseRevision: '' },
    } as const
    let sent = 1
    while (stream.send(push)) sent += 1
    assert.ok(sent <= 2, `${sent}`)
    let drained = 0
    stream.onDrain(() => (drained += 1))
    deaf.resume()
    while (drained === 0) await sleep(5)
    deaf.cancel()
  })
})
