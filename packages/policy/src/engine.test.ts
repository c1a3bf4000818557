import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { writeArchive } from './archive.ts'
import { bundleFiles, loadPolicyBundle, type PolicyBundle } from './bundle.ts'
import { createPolicyEngine, DECISION_ENTRYPOINT } from './engine.ts'
import { PolicyError, type PolicyErrorCode } from './error.ts'
import { requireBuiltins } from './policy-module.ts'
import { readShippedBundle } from './testing.ts'
import { createTrapEngine, loadTraps } from './testing-fixtures.ts'

async function refusedWith(work: Promise<unknown>, code: PolicyErrorCode): Promise<void> {
  await assert.rejects(work, (thrown) => {
    assert(thrown instanceof PolicyError, String(thrown))
    assert.equal(thrown.code, code, thrown.message)
    return true
  })
}

/** The traps with something changed that a manifest parser would let through. */
async function tamper(change: Partial<PolicyBundle>): Promise<PolicyBundle> {
  return { ...(await loadTraps()), ...change }
}

const notBlocked = { entrypoint: 'traps/not_blocked' }

/** Wasm modules by hand: `\0asm`, version 1, then sections. */
const emptyModule = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])
const importing = (module: string, name: string): Buffer => {
  const entry = [module.length, ...Buffer.from(module), name.length, ...Buffer.from(name), 0, 0]
  return Buffer.concat([emptyModule, Buffer.from([1, 4, 1, 0x60, 0, 0, 2, entry.length + 1, 1, ...entry])])
}

describe('refused before it decides anything', () => {
  test('a bundle without the entrypoint', async () => {
    const bundle = await loadTraps()
    await refusedWith(createPolicyEngine(bundle), 'ERR_POLICY_ENTRYPOINT')
    await refusedWith(createPolicyEngine(bundle, { entrypoint: 'toString' }), 'ERR_POLICY_ENTRYPOINT')
  })

  test('an entrypoint that only the manifest or only the module knows', async () => {
    const ghost = await tamper({ entrypoints: ['traps/ghost'] })
    await refusedWith(createPolicyEngine(ghost, { entrypoint: 'traps/ghost' }), 'ERR_POLICY_ENTRYPOINT')
    await refusedWith(createPolicyEngine(ghost, notBlocked), 'ERR_POLICY_ENTRYPOINT')
  })

  const modules: readonly (readonly [why: string, Uint8Array])[] = [
    ['bytes that are no module', Buffer.from('not wasm')],
    ['half a module', emptyModule.subarray(0, 6)],
    ['a module that OPA did not make', emptyModule],
    ['a module that asks for more than OPA does', importing('env', 'open_file')],
    ['a module that asks for the system', importing('wasi_snapshot_preview1', 'fd_write')],
  ]
  for (const [why, wasm] of modules) {
    test(why, async () => refusedWith(createPolicyEngine(await tamper({ wasm }), notBlocked), 'ERR_BUNDLE_WASM'))
  }

  test('a builtin that nobody provides, or one whose time a caller could choose', () => {
    assert.deepEqual(requireBuiltins({ sprintf: 0 }), ['sprintf'])
    assert.deepEqual(requireBuiltins({}), [])
    for (const name of ['http.send', 'time.now_ns', 'io.jwt.decode_verify', 'regex.split', 'toString', 'constructor']) {
      assert.throws(
        () => requireBuiltins({ sprintf: 0, [name]: 1 }),
        (thrown) =>
          thrown instanceof PolicyError && thrown.code === 'ERR_POLICY_BUILTIN' && thrown.message.includes(name),
      )
    }
  })

  test('data that Rego cannot hold', async () => {
    const { wasm, revision, roots, entrypoints } = await loadTraps()
    const manifest = { revision, roots, wasm: entrypoints.map((entrypoint) => ({ entrypoint, module: 'policy.wasm' })) }
    const data = Buffer.from('{"listed":{"a":"\\ud800"}}')
    const bundle = await loadPolicyBundle(await writeArchive(bundleFiles(manifest, wasm, data)))
    await refusedWith(createPolicyEngine(bundle, notBlocked), 'ERR_BUNDLE_DATA')
  })
})

describe('the samples find', () => {
  test('a rule that is no boolean', async () => {
    await refusedWith(createTrapEngine('echo'), 'ERR_POLICY_SMOKE')
  })

  test('a rule that is undefined', async () => {
    const rule = { entrypoint: 'traps/failing_reason' }
    await refusedWith(createPolicyEngine(await loadTraps(), rule), 'ERR_POLICY_SMOKE')
  })

  test('a manifest that understates what the policy reads', async () => {
    const bundle = await loadPolicyBundle(await readShippedBundle())
    const understated = { ...bundle.metadata!, input: { [DECISION_ENTRYPOINT]: [['caller'], ['parsed_path']] } }
    await refusedWith(createPolicyEngine({ ...bundle, metadata: understated }), 'ERR_POLICY_SMOKE')
  })
})

test('a bundle without our metadata is decided on the whole input', async () => {
  const { metadata: _, ...bundle } = await loadTraps()
  using engine = await createPolicyEngine({ ...bundle, metadata: undefined }, notBlocked)
  assert.equal(engine.evaluate('traps/not_blocked', {}), true)
})
