import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { suite, test } from 'node:test'
import type { ClientDuplexStream } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { FakeClock } from '@picket/runtime/testing'
import { RpcError } from '../rpc-error.ts'
import { reflectionDefinition, SECRET_DISCOVERY, serviceDefinitions, type Definition } from './definitions.ts'
import { WORKLOAD_LIMITS } from './limits.ts'
import { SECRET_TYPE } from './secret-codec.ts'
import {
  callUnary,
  HEADER,
  openStream,
  startTestWorkloads,
  textOf,
  toMetadata,
  toReader,
  type TestWorkloads,
} from './testing.ts'

function openBidi(workloads: TestWorkloads, { path, requestSerialize, responseDeserialize }: Definition) {
  const client = workloads.client()
  return toReader<ClientDuplexStream<object, object>>(
    client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize),
  )
}

const openSecrets = (workloads: TestWorkloads, method: 'StreamSecrets' | 'DeltaSecrets') =>
  openBidi(workloads, serviceDefinitions(SECRET_DISCOVERY)[method]!)

suite('secret discovery over the wire', () => {
  test('a stream without the security header gets what it names, and each change', async () => {
    await using workloads = await startTestWorkloads()
    const { stream, next } = openSecrets(workloads, 'StreamSecrets')
    stream.write({ typeUrl: SECRET_TYPE, resourceNames: ['default'] })
    const first = (await next()) as { nonce: string; typeUrl: string; resources: { type_url: string }[] }
    assert.equal(first.typeUrl, SECRET_TYPE)
    assert.deepEqual(
      first.resources.map((resource) => resource.type_url),
      [SECRET_TYPE],
    )
    stream.write({ typeUrl: SECRET_TYPE, resourceNames: ['default'], responseNonce: first.nonce })
    const state = workloads.secrets.value
    if (state instanceof RpcError) return assert.fail()
    workloads.secrets.set({ ...state, svids: [{ ...state.svids[0]!, chain: 'rotated' }] })
    assert.notEqual(((await next()) as { nonce: string }).nonce, first.nonce)
    workloads.secrets.set(new RpcError('ERR_RPC_DENIED', 'no identity issued'))
    assert.equal(await next(), 'PERMISSION_DENIED: no identity issued')
  })

  test('an unknown name ends the stream; incrementally it is told', async () => {
    await using workloads = await startTestWorkloads()
    const state = openSecrets(workloads, 'StreamSecrets')
    state.stream.write({ resourceNames: ['nobody'] })
    assert.match(textOf(await state.next()), /^INVALID_ARGUMENT: the workload is not authorized/)
    const delta = openSecrets(workloads, 'DeltaSecrets')
    delta.stream.write({ resourceNamesSubscribe: ['nobody', 'default'] })
    const { resources, removedResources } = (await delta.next()) as {
      resources: { name: string }[]
      removedResources: string[]
    }
    assert.deepEqual([resources.map(({ name }) => name), removedResources], [['default'], ['nobody']])
    delta.stream.end()
    assert.equal(await delta.next(), 'end')
  })

  test('FetchSecrets answers once', async () => {
    await using workloads = await startTestWorkloads()
    const fetch = (resourceNames: string[]) =>
      callUnary(workloads.client(), `${SECRET_DISCOVERY}/FetchSecrets`, { resourceNames }, {})
    assert.equal(((await fetch([])) as { resources: unknown[] }).resources.length, 4)
    assert.match(textOf(await fetch(['nobody'])), /^INVALID_ARGUMENT/)
  })

  test('a stream of too many messages is ended', async () => {
    await using workloads = await startTestWorkloads()
    const { stream, next } = openSecrets(workloads, 'StreamSecrets')
    for (let sent = 0; sent < 200; sent++) stream.write({ resourceNames: ['default'] })
    let last: unknown
    while (typeof last !== 'string') last = await next()
    assert.equal(last, 'UNAVAILABLE: too many messages')
  })
})

suite('health and reflection', () => {
  const health = (workloads: TestWorkloads, service: string) => {
    const proto = join(dirname(createRequire(import.meta.url).resolve('grpc-health-check/package.json')), 'proto')
    const { path, requestSerialize, responseDeserialize } = (
      loadSync('health/v1/health.proto', { includeDirs: [proto], enums: String })[
        'grpc.health.v1.Health'
      ] as unknown as Readonly<Record<string, Definition>>
    )['Check']!
    return new Promise((resolve) => {
      const client = workloads.client()
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { service }, (error, answer) =>
        resolve(error ? error.code : (answer as { status: string }).status),
      )
    })
  }

  test('health follows what the sidecar says', async () => {
    await using workloads = await startTestWorkloads()
    assert.equal(await health(workloads, ''), 'NOT_SERVING')
    workloads.server.setServing(true)
    assert.equal(await health(workloads, ''), 'SERVING')
    assert.equal(await health(workloads, 'SpiffeWorkloadAPI'), 'SERVING')
    assert.equal(await health(workloads, 'nobody'), 5)
  })

  for (const version of ['v1', 'v1alpha'] as const) {
    test(`reflection ${version} lists the services and gives their files`, async () => {
      await using workloads = await startTestWorkloads()
      const { stream, next } = openBidi(workloads, reflectionDefinition(version))
      stream.write({ listServices: '*' })
      const { listServicesResponse } = (await next()) as { listServicesResponse: { service: { name: string }[] } }
      const names = listServicesResponse.service.map(({ name }) => name).sort()
      assert.deepEqual(names, ['SpiffeWorkloadAPI', SECRET_DISCOVERY])
      stream.write({ fileByFilename: 'nobody.proto' })
      assert.equal(((await next()) as { errorResponse: { errorCode: number } }).errorResponse.errorCode, 5)
      stream.write({ allExtensionNumbersOfType: 'x' })
      assert.equal(((await next()) as { errorResponse: { errorCode: number } }).errorResponse.errorCode, 12)
      stream.end()
      assert.equal(await next(), 'end')
    })
  }
})

suite('what one process may take', () => {
  test('calls over the rate of a connection are UNAVAILABLE, other connections are served', async () => {
    await using workloads = await startTestWorkloads({}, new FakeClock())
    const greedy = workloads.client()
    const { burst } = WORKLOAD_LIMITS.connectionCalls
    const call = () => callUnary(greedy, 'FetchJWTSVID', { audience: ['a'] })
    for (let made = 0; made < burst; made += 50) await Promise.all(Array.from({ length: 50 }, call))
    assert.match(textOf(await call()), /^UNAVAILABLE: too many calls/)
    assert.equal(typeof (await callUnary(workloads.client(), 'FetchJWTSVID', { audience: ['a'] })), 'object')
  })

  test('who calls is asked again after a second, and at once after it could not be found out', async () => {
    const clock = new FakeClock()
    let failing = true
    const attest = () => (failing ? Promise.reject(new RpcError('ERR_RPC_DENIED', 'who?')) : Promise.resolve('caller'))
    await using workloads = await startTestWorkloads({ attest }, clock)
    const client = workloads.client()
    const call = () => callUnary(client, 'FetchJWTSVID', { audience: ['a'] })
    assert.match(textOf(await call()), /^PERMISSION_DENIED/)
    failing = false
    for (let made = 0; made < 3; made++) assert.equal(typeof (await call()), 'object')
    assert.equal(workloads.attested, 2)
    await clock.advance(1000)
    await call()
    assert.equal(workloads.attested, 3)
  })

  test('a method that there is not is UNIMPLEMENTED', async () => {
    await using workloads = await startTestWorkloads()
    const client = workloads.client()
    const code = await new Promise((resolve) => {
      const same = (bytes: Buffer): Buffer => bytes
      const path = '/SpiffeWorkloadAPI/FetchWITSVID'
      client.makeUnaryRequest(path, same, same, Buffer.alloc(0), toMetadata(HEADER), (error) => resolve(error?.code))
    })
    assert.equal(code, 12)
  })

  test('garbage on the socket does not stop the server', async () => {
    await using workloads = await startTestWorkloads()
    const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
    for (const garbage of ['GET / HTTP/1.1\r\n\r\n', '\0'.repeat(4096), preface + '\xff'.repeat(500), '\x16\x03\x01']) {
      const socket = connect(workloads.path)
      socket.on('error', () => {})
      socket.end(garbage, 'latin1')
      await once(socket.resume(), 'close')
    }
    assert.equal(typeof (await openStream(workloads.client(), 'FetchX509SVID').next()), 'object')
  })

  test('one connection too many is closed, and the places of those that went are free again', async () => {
    await using workloads = await startTestWorkloads()
    const open = () => connect(workloads.path).on('error', () => {})
    const sockets: Socket[] = []
    for (let batch = 0; batch < 16; batch++) {
      const opened = Array.from({ length: WORKLOAD_LIMITS.connections / 16 }, open)
      await Promise.all(opened.map((socket) => once(socket, 'data')))
      sockets.push(...opened)
    }
    const extra = open()
    await once(extra.resume(), 'close')
    assert.equal(workloads.log.filter(({ message }) => message === 'too many workload connections').length, 1)
    await Promise.all(sockets.map((socket) => (socket.destroy(), once(socket, 'close'))))
    assert.equal(typeof (await openStream(workloads.client(), 'FetchX509SVID').next()), 'object')
  })
})
