import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '@picket/agent/testing'
import { setUp } from '../testing-sidecar.ts'
import { fetchX509Svid } from './testing-workload.ts'

test('a sidecar gives its own SVID to the workloads beside it, until it stops', async () => {
  await using parts = await setUp()
  const workloadApi = join(parts.dir, 'workload', 'api.sock')
  const sidecar = await parts.start({ ...parts.mesh, workloadApi })
  assert.equal(sidecar.addresses.workloadApi, workloadApi)
  const answer = await fetchX509Svid(workloadApi)
  assert.ok(answer.includes(sidecar.id.uri), answer)
  await sidecar[Symbol.asyncDispose]()
  assert.equal(existsSync(workloadApi), false)
})

test('a socket that another sidecar serves stops the start, before a join token is spent', async () => {
  await using parts = await setUp()
  const workloadApi = join(parts.dir, 'workload', 'api.sock')
  await using _first = await parts.start({ ...parts.mesh, workloadApi })
  const second = { ...parts.mesh, workloadApi, stateDir: join(parts.dir, 'other'), joinToken: 'token-2' }
  await assert.rejects(parts.start(second), { code: 'ERR_PORT_IN_USE', message: /api\.sock is in use/ })
  assert.equal(await fetchX509Svid(workloadApi).then((answer) => answer.includes('spiffe://')), true)
})

test('while it waits for its first SVID, workloads are told to come back', async () => {
  await using parts = await setUp()
  const workloadApi = join(parts.dir, 'workload', 'api.sock')
  const nobody = { ...parts.mesh, workloadApi, controlPlane: '127.0.0.1:1' }
  const starting = parts.start(nobody)
  const given = assert.rejects(starting, { message: 'SIGTERM' })
  await eventually('the socket', () => existsSync(workloadApi))
  assert.equal(await fetchX509Svid(workloadApi), 'grpc-status 14')
  parts.stop()
  await given
  assert.equal(existsSync(workloadApi), false)
})
