import assert from 'node:assert/strict'
import { after, before, suite, test, type TestContext } from 'node:test'
import { systemClock } from '@picket/runtime'
import { underLoad } from '../support/load.ts'
import { startFilesMesh } from '../support/files-mesh.ts'
import type { Mesh } from '../support/mesh.ts'

const REQUESTS = 50_000
const SVID_TTL = '10s'

interface AuthorityItem {
  readonly kind: string
  readonly keyId: string
  readonly algorithm: string
  readonly state: string
}

/** Three rotations, one by hand with taint and revoke, a move to another key algorithm and back: all while calls go on. */
suite('the authorities of a mesh under load', { timeout: 175_000 }, () => {
  let mesh: Mesh
  before(async () => void (mesh = await startFilesMesh(['--svid-ttl', SVID_TTL])))
  after(() => mesh?.[Symbol.asyncDispose]())

  async function authorities(...args: string[]): Promise<AuthorityItem[]> {
    const { code, stdout, stderr } = await mesh.picket('ca', ...args, '-o', 'json')
    assert.equal(code, 0, stderr)
    return (JSON.parse(stdout) as { items: AuthorityItem[] }).items
  }

  async function rotate(t: TestContext, what: string, ...args: string[]): Promise<string> {
    const startedMs = systemClock.monotonicMs()
    const items = await authorities('rotate', '--x509', ...args)
    const x509 = items.filter(({ kind }) => kind === 'x509')
    assert.deepEqual(
      x509.map(({ state }) => state),
      ['active'],
      'the old one is gone',
    )
    t.diagnostic(`${what}: ${Math.round(systemClock.monotonicMs() - startedMs)} ms, command included`)
    return x509[0]!.algorithm
  }

  /** Each step by its own command, as somebody would who trusts no automatism. */
  async function rotateByHand(): Promise<void> {
    const before = (await authorities('status')).find(({ kind, state }) => kind === 'x509' && state === 'active')!
    await authorities('prepare')
    await repeat(() => mesh.picket('ca', 'activate'))
    await authorities('taint', before.keyId)
    await repeat(() => mesh.picket('ca', 'revoke', before.keyId))
  }

  test('are replaced without one failed request', async (t) => {
    const gateway = mesh.service('gateway').client
    let calls = 0
    const count = (): ReturnType<typeof gateway.get> => {
      calls += 1
      return gateway.get('files', '/here')
    }
    const seen: string[] = []
    const load = await underLoad(
      count,
      async () => {
        for (const round of [1, 2, 3]) seen.push(await rotate(t, `rotation ${round}`))
        const startedMs = systemClock.monotonicMs()
        await rotateByHand()
        t.diagnostic(`by hand, with taint and revoke: ${Math.round(systemClock.monotonicMs() - startedMs)} ms`)
        seen.push(await rotate(t, 'to ml-dsa-65', '--algorithm', 'ml-dsa-65'))
        const { sidecars } = await mesh.operator.status()
        assert.deepEqual(
          sidecars.filter(({ connected }) => connected).map(({ svidKeyAlgorithm }) => svidKeyAlgorithm),
          ['ml-dsa-65', 'ml-dsa-65'],
          'workloads have keys of that kind too',
        )
        seen.push(await rotate(t, 'and back', '--algorithm', 'ec-p256'))
        while (calls < REQUESTS) await systemClock.sleep(50)
      },
      { callers: 12 },
    )
    const failed = Object.values(load.unexpected).reduce((sum, count) => sum + count, 0)
    t.diagnostic(`${load.answered} requests, ${failed} failed`)
    assert.deepEqual(load.unexpected, {})
    assert.ok(load.answered >= REQUESTS, `only ${load.answered} requests`)
    assert.deepEqual(seen, ['ec-p256', 'ec-p256', 'ec-p256', 'ml-dsa-65', 'ec-p256'])
  })
})

/** Until the gate opens: sidecars acknowledge and renew within moments. */
async function repeat(command: () => ReturnType<Mesh['picket']>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const { code, stderr } = await command()
    if (code === 0) return
    if (attempt === 20) assert.fail(stderr)
    await systemClock.sleep(100)
  }
}
