import assert from 'node:assert/strict'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test, type TestContext } from 'node:test'
import { systemClock } from '@picket/runtime'
import { createRecordingLogger } from '@picket/runtime/testing'
import type { WorkloadApiConfig } from '../config.ts'
import { createTestSource, fetchX509Svid } from './testing-workload.ts'
import { openWorkloadApi } from './workload-api.ts'

const loopback = { host: '127.0.0.1', port: 0 }
const DENIED = 'grpc-status 7'
const UNAVAILABLE = 'grpc-status 14'
const self = `unix:uid:${process.getuid?.() ?? 0}`

async function setUp(t: TestContext, config: Partial<WorkloadApiConfig>) {
  const folder = await mkdtemp(join(tmpdir(), 'picket-api-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const socket = { path: join(folder, 'run', 'api.sock'), group: undefined }
  const logger = createRecordingLogger()
  const api = await openWorkloadApi(
    { clock: systemClock, logger },
    { socket, tcp: undefined, attestation: 'off', ...config },
  )
  t.after(() => api[Symbol.asyncDispose]())
  return { api, logger, path: socket.path, ...createTestSource(systemClock) }
}

test('callers are told to come back until there is something to serve; then they are served, and at last it is gone', async (t) => {
  const { api, source, identities, identity, path } = await setUp(t, {})
  assert.equal(await fetchX509Svid(path), UNAVAILABLE)
  api.serve(source)
  assert.equal(await fetchX509Svid(path), DENIED)
  identities.set([identity('/payments')])
  assert.match(await fetchX509Svid(path), /spiffe:\/\/bank\.test\/payments/)
  await api[Symbol.asyncDispose]()
  await assert.rejects(stat(path), { code: 'ENOENT' })
})

test('without peer credentials an identity that names a process is served to nobody', async (t) => {
  const { api, source, identities, identity, path } = await setUp(t, {})
  identities.set([identity('/payments', { selectors: [self] })])
  api.serve(source)
  assert.equal(await fetchX509Svid(path), DENIED)
})

suite('with peer credentials', { skip: process.platform === 'linux' ? false : 'peer credentials are Linux’s' }, () => {
  for (const transport of ['unix', 'tcp'] as const) {
    test(`a caller over ${transport} gets the identities whose selectors it fulfils`, async (t) => {
      const config = {
        attestation: 'unix' as const,
        ...(transport === 'tcp' ? { socket: undefined, tcp: loopback } : {}),
      }
      const { api, source, identities, identity, path } = await setUp(t, config)
      identities.set([
        identity('/mine', { selectors: [self, `unix:path:${process.execPath}`] }),
        identity('/other-user', { selectors: ['unix:uid:4242'] }),
        identity('/other-program', { selectors: [self, 'unix:path:/bin/false'] }),
        identity('/anybody'),
      ])
      api.serve(source)
      const answer = await fetchX509Svid(api.tcp ?? path)
      const served = [...new Set(answer.match(/spiffe:\/\/bank\.test\/[a-z-]+/g))]
      assert.deepEqual(served, ['spiffe://bank.test/mine', 'spiffe://bank.test/anybody'])
    })
  }
})

test('a port that is in use is named with its setting', async (t) => {
  const { api } = await setUp(t, { socket: undefined, tcp: loopback, attestation: 'unix' })
  const again = setUp(t, { socket: undefined, tcp: api.tcp, attestation: 'unix' })
  await assert.rejects(again, { code: 'ERR_PORT_IN_USE', message: /^workloadApiTcp: .*--workload-api-tcp/ })
})
