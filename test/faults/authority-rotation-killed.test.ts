import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { systemClock } from '@picket/runtime'
import { underLoad } from '../support/load.ts'
import { startFilesMesh } from '../support/files-mesh.ts'
import type { Mesh } from '../support/mesh.ts'

interface AuthorityItem {
  readonly kind: string
  readonly keyId: string
  readonly state: string
}

/** After how long from the order the control plane is killed: while it prepares, distributes, re-issues, revokes. */
const KILLED_AFTER_MS = [0, 40, 120, 300]

suite('the control plane is killed during a rotation', { timeout: 175_000 }, () => {
  let mesh: Mesh
  before(async () => void (mesh = await startFilesMesh()))
  after(() => mesh?.[Symbol.asyncDispose]())

  async function authorities(): Promise<AuthorityItem[]> {
    const { code, stdout, stderr } = await mesh.picket('ca', 'status', '-o', 'json')
    assert.equal(code, 0, stderr)
    return (JSON.parse(stdout) as { items: AuthorityItem[] }).items.filter(({ kind }) => kind === 'x509')
  }

  async function rotationsBegun(): Promise<number> {
    const log = await readFile(join(mesh.directory, 'control-plane.log'), 'utf8')
    return log.split('"rotation begins"').length - 1
  }

  async function untilBegun(count: number): Promise<void> {
    for (let attempt = 0; (await rotationsBegun()) < count; attempt++) {
      assert.ok(attempt < 4000, 'no rotation begins')
      await systemClock.sleep(5)
    }
  }

  for (const afterMs of KILLED_AFTER_MS) {
    test(`${afterMs} ms after the order, and the rotation ends, with no failed request`, async (t) => {
      const [before] = await authorities()
      const begun = await rotationsBegun()
      const gateway = mesh.service('gateway').client
      const load = await underLoad(
        () => gateway.get('files', '/here'),
        async () => {
          const following = mesh.picket('ca', 'rotate', '--x509')
          await untilBegun(begun + 1) // it is the rotation that is to be interrupted, not the command
          await systemClock.sleep(afterMs)
          await mesh.controlPlane.kill()
          await mesh.startControlPlane()
          const startedMs = systemClock.monotonicMs()
          const { code, stderr } = await following
          assert.equal(code, 0, stderr)
          t.diagnostic(`ended ${Math.round(systemClock.monotonicMs() - startedMs)} ms after the restart`)
        },
        { callers: 4 },
      )
      assert.deepEqual(load.unexpected, {})
      const left = await authorities()
      assert.deepEqual(
        left.map(({ state }) => state),
        ['active'],
      )
      assert.notEqual(left[0]!.keyId, before!.keyId)
    })
  }
})
