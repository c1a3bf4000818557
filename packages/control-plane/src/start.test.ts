import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { createCsr, generateKeyPair } from '@picket/identity'
import { readShippedBundle } from '@picket/policy/testing'
import { generateSealKeyText, parseSealKey, systemClock, systemRandom } from '@picket/runtime'
import { createRecordingLogger } from '@picket/runtime/testing'
import { startControlPlane } from './control-plane.ts'
import { connectSidecar, startTestControlPlane, type TestControlPlane } from './testing.ts'

/** Names and contents of everything in a folder. */
function fingerprint(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const paths = names.map(({ parentPath, name }) => join(parentPath, name)).sort((a, b) => (a < b ? -1 : 1))
  return Object.fromEntries(paths.map((path) => [path, createHash('sha256').update(readFileSync(path)).digest('hex')]))
}

async function health(plane: TestControlPlane, path: string): Promise<[number, string]> {
  const response = await fetch(`http://127.0.0.1:${plane.controlPlane.healthAddress.port}${path}`)
  return [response.status, await response.text()]
}

suite('a restart', () => {
  test('keeps entries, tokens, what was attested, the active policy and the endpoints', async () => {
    await using plane = await startTestControlPlane()
    await plane.register('payments')
    const policy = await plane.operator.admin.pushPolicy(await readShippedBundle())
    const svid = await plane.attest('payments')
    const { token } = await plane.operator.admin.createToken({ selectors: ['service:payments'], ttlSeconds: 0 })
    await using sidecar = await connectSidecar(plane.client(svid), { advertise: '127.0.0.1:7443' })
    const { revision } = await sidecar.next('endpoints', ({ bytes }) => bytes.includes('7443'))
    const before = await plane.operator.admin.getStatus()
    await plane.stop()
    await plane.start()

    const { startedAtMs: _startedAtMs, ...after } = await plane.operator.admin.getStatus()
    assert.deepEqual({ ...before, ...after }, { ...before, sidecarsConnected: 0 })
    const { sidecars } = await plane.operator.admin.listSidecars({ pageSize: 0, pageToken: '' })
    assert.deepEqual(sidecars, [])
    assert.deepEqual(await plane.operator.admin.listPolicies(), [policy])
    await plane.client(svid).issue({ csr: createCsr(generateKeyPair()) })
    await plane.client().attest({ joinToken: token, csr: createCsr(generateKeyPair()) })
    await using again = await connectSidecar(plane.client(svid), { instanceId: 'another' })
    assert.equal((await again.next('endpoints')).revision, revision)
  })
})

suite('a start is refused, and nothing is changed, when', () => {
  const obstacles: [string, (plane: TestControlPlane) => void, { code: string; message: RegExp }][] = [
    [
      'the database is damaged',
      ({ dataDir }) => writeFileSync(join(dataDir, 'picket.db'), 'no database'.repeat(500)),
      { code: 'ERR_DATABASE_CORRUPT', message: /picket\.db cannot be used.*nothing was changed/ },
    ],
    [
      'the sealed key is damaged',
      ({ dataDir }) => {
        const keyFile = readdirSync(join(dataDir, 'ca')).find((name) => /^x509-.*\.key\.sealed$/.test(name))
        const path = join(dataDir, 'ca', keyFile!)
        const sealed = readFileSync(path)
        sealed[sealed.length - 1]! ^= 1
        writeFileSync(path, sealed)
      },
      { code: 'ERR_SEALED_FILE', message: /x509-.*\.key\.sealed.*altered/ },
    ],
    [
      'there is no authority',
      ({ dataDir }) => rmSync(join(dataDir, 'ca'), { recursive: true }),
      { code: 'ERR_AUTHORITY_MISSING', message: /picket ca init/ },
    ],
  ]
  for (const [what, place, expected] of obstacles) {
    test(what, async () => {
      await using plane = await startTestControlPlane()
      await plane.stop()
      place(plane)
      const before = fingerprint(plane.dataDir)
      await assert.rejects(plane.start(), expected)
      assert.deepEqual(fingerprint(plane.dataDir), before)
    })
  }

  test('the sealing key is another, or there is none', async () => {
    await using plane = await startTestControlPlane()
    await plane.stop()
    const before = fingerprint(plane.dataDir)
    await assert.rejects(plane.start({ sealKey: parseSealKey(generateSealKeyText()) }), { code: 'ERR_SEALED_FILE' })
    await assert.rejects(plane.start({ sealKey: undefined }), { code: 'ERR_SEAL_KEY_MISSING', message: /seal\.key/ })
    assert.deepEqual(fingerprint(plane.dataDir), before)
  })

  for (const setting of ['listen', 'health'] as const) {
    test(`the port of "${setting}" is taken`, async () => {
      await using plane = await startTestControlPlane()
      await plane.stop()
      const other = createServer()
      await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
      const { port } = other.address() as { port: number }
      try {
        const taken = plane.start({ [setting]: { host: '127.0.0.1', port } })
        await assert.rejects(taken, { code: 'ERR_PORT_IN_USE', message: new RegExp(`127\\.0\\.0\\.1:${port}`) })
      } finally {
        other.close()
      }
      await plane.start()
    })
  }

  test('another control plane has the folder', async () => {
    await using plane = await startTestControlPlane()
    await assert.rejects(plane.start(), { code: 'ERR_AUTHORITY_IN_USE' })
    assert.equal((await plane.operator.admin.getStatus()).entries, 0)
  })
})

suite('a control plane', () => {
  test('tells its health', async () => {
    await using plane = await startTestControlPlane()
    await plane.register('payments')
    await plane.attest('payments')
    assert.deepEqual(await health(plane, '/live'), [200, 'live\n'])
    assert.match((await health(plane, '/ready')).join(' '), /^200 .*"ready": true/s)
    assert.match((await health(plane, '/metrics')).join(' '), /^200 .*picket_svids_issued_total 1$/ms)
  })

  test('stops when its signal aborts: sidecars are told, the ports are free, `closed` resolves', async () => {
    await using plane = await startTestControlPlane()
    await plane.register('payments')
    const svid = await plane.attest('payments')
    await plane.stop()
    const abort = new AbortController()
    const deps = { clock: systemClock, random: systemRandom, logger: createRecordingLogger() }
    await using controlPlane = await startControlPlane(deps, plane.settings, abort.signal)
    await using sidecar = await connectSidecar(plane.client(svid, controlPlane.address))
    await sidecar.next('endpoints')
    abort.abort()
    await controlPlane.closed
    assert.equal((await sidecar.stream.closed)?.code, 'ERR_RPC_UNAVAILABLE')
    await plane.start({ listen: controlPlane.address, health: controlPlane.healthAddress })
  })

  test('does not start for a signal that has aborted', async () => {
    await using plane = await startTestControlPlane()
    await plane.stop()
    const deps = { clock: systemClock, random: systemRandom, logger: createRecordingLogger() }
    const reason = new Error('never mind')
    await assert.rejects(startControlPlane(deps, plane.settings, AbortSignal.abort(reason)), reason)
    await plane.start()
  })
})
