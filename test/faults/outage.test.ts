/**
 * The control plane is away for longer than sidecars have planned for. Sidecars hold SVIDs of some seconds, from join
 * tokens that are used up: there is nothing new to show when it comes back.
 */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { systemClock } from '@picket/runtime'
import { eventually } from '../support/eventually.ts'
import { underLoad } from '../support/load.ts'
import { bankPolicy, startMesh, type Mesh, type MeshResponse } from '../support/mesh.ts'

const TTL_MS = 16_000
const NAMES = ['gateway', 'accounts'] as const

suite('an outage of the control plane', () => {
  let mesh: Mesh
  before(async () => {
    mesh = await startMesh({
      policy: bankPolicy,
      services: {
        gateway: { callerOnly: true },
        accounts: { handler: (_request, response) => void response.end('{}') },
      },
    })
    const file = join(mesh.directory, 'entries.yaml')
    const entries = NAMES.map(
      (name) => `- {spiffe_id: /${name}, selectors: [service:${name}], ttl: ${TTL_MS / 1000}s}\n`,
    )
    await writeFile(file, `entries:\n${entries.join('')}`)
    const { code, stderr } = await mesh.picket('apply', '-f', file)
    assert.equal(code, 0, stderr)
  })
  after(() => mesh?.[Symbol.asyncDispose]())

  const get = (): Promise<MeshResponse> => mesh.service('gateway').client.get('accounts', '/accounts/alice')

  /** Waits for SVIDs that have most of their short life before them; when the first of them ends. */
  async function freshSvids(): Promise<number> {
    const isFresh = (notAfterMs: number): boolean => {
      const leftMs = notAfterMs - systemClock.now()
      return leftMs > TTL_MS * 0.8 && leftMs <= TTL_MS
    }
    await Promise.all(NAMES.map((name) => mesh.rotate(name)))
    const { sidecars } = await mesh.operator.until('all SVIDs are fresh', (status) => {
      return status.sidecars.length === NAMES.length && status.sidecars.every((one) => isFresh(one.svidNotAfterMs))
    })
    return Math.min(...sidecars.map(({ svidNotAfterMs }) => svidNotAfterMs))
  }

  const pids = (): readonly number[] => mesh.services.map(({ sidecar }) => sidecar.pid)

  test('longer than half the life of an SVID, and over before its end: no request fails', async (t) => {
    const endMs = await freshSvids()
    const before = pids()
    const load = await underLoad(
      () => get(),
      async () => {
        const downMs = systemClock.now()
        await mesh.controlPlane.kill()
        await systemClock.sleep(TTL_MS * 0.55)
        await mesh.startControlPlane()
        const upMs = systemClock.now()
        assert.ok(upMs < endMs, 'the control plane was not back in time: the machine is too slow for this test')
        await mesh.operator.until('all SVIDs are renewed', ({ sidecars }) =>
          NAMES.every((name) =>
            sidecars.some((one) => one.spiffeId.endsWith(`/${name}`) && one.svidNotAfterMs > endMs),
          ),
        )
        t.diagnostic(`down for ${upMs - downMs} ms of a life of ${TTL_MS} ms`)
        await systemClock.sleep(Math.max(0, endMs + 1000 - systemClock.now()))
      },
      { callers: 4 },
    )
    assert.deepEqual(load.unexpected, {})
    assert.ok(load.answered > 100, `only ${load.answered} requests`)
    assert.deepEqual(pids(), before)
    t.diagnostic(`${load.answered} requests, none failed`)
  })

  test('past the end of every SVID: sidecars come back by themselves, without a restart and without a token', async (t) => {
    const endMs = await freshSvids()
    const before = pids()
    await mesh.controlPlane.kill()
    await systemClock.sleep(endMs - systemClock.now() + 4000)
    assert.notEqual((await get()).status, 200, 'an expired SVID opens nothing')
    await mesh.startControlPlane()
    const upMs = systemClock.now()
    const waitMs = 60_000
    await eventually(async () => ((await get()).status === 200 ? true : undefined), waitMs)
    t.diagnostic(`served again ${systemClock.now() - upMs} ms after the control plane was back`)
    await mesh.operator.until('all are connected', ({ sidecars }) => {
      return sidecars.filter(({ connected }) => connected).length === NAMES.length
    })
    assert.deepEqual(pids(), before, 'no sidecar was restarted')
    const log = await readFile(join(mesh.directory, 'control-plane.log'), 'utf8')
    const renewals = log.split('\n').filter((line) => line.includes('"evidence":"expired-svid"'))
    assert.ok(renewals.length >= NAMES.length, 'each renewal after expiry is in the record')
  })
})
