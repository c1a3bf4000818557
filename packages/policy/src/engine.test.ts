import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { writeArchive } from './archive.ts'
import { bundleFiles, loadPolicyBundle, type PolicyBundle } from './bundle.ts'
import { createPolicyEngine, DECISION_ENTRYPOINT } from './engine.ts'
import { PolicyError, type PolicyErrorCode } from './error.ts'
import { requireBuiltins } from './policy-module.ts'
import { createTestContext, createTestHead, readShippedBundle } from './testing.ts'
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

const { wasm: good } = await loadTraps()
const notBlocked = { entrypoint: 'traps/not_blocked' }

/** Wasm modules by hand: `\0asm`, version 1, then sections. */
const emptyModule = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])
/** The traps' module with one name in it changed. */
const renamed = (wasm: Uint8Array, from: string, to: string): Buffer =>
  Buffer.from(Buffer.from(wasm).toString('latin1').replaceAll(from, to), 'latin1')

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
    ['a module that asks for more than OPA does', renamed(good, 'opa_abort', 'open_file')],
    ['a module without the fast path', renamed(good, 'opa_eval', 'opa_evil')],
    ['a module that does not say its ABI', renamed(good, 'opa_wasm_abi_minor', 'opa_wasm_abi_tenor')],
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
    const work = createPolicyEngine(await loadTraps(), rule)
    await refusedWith(work, 'ERR_POLICY_SMOKE')
    await assert.rejects(work, /give it a default/)
  })

  test('a manifest that understates what the policy reads', async () => {
    const bundle = await loadPolicyBundle(await readShippedBundle())
    const understated = { ...bundle.metadata!, input: { [DECISION_ENTRYPOINT]: [['caller'], ['parsed_path']] } }
    await refusedWith(createPolicyEngine({ ...bundle, metadata: understated }), 'ERR_POLICY_SMOKE')
  })
})

test('a bundle without our metadata is decided on the whole input', async () => {
  const bundle = await loadPolicyBundle(await readShippedBundle())
  using engine = await createPolicyEngine({ ...bundle, metadata: undefined })
  const connection = engine.connect(createTestContext())
  assert.equal(engine.decide(connection, createTestHead('GET /accounts/alice?a=1')).kind, 'allow')
  assert.equal(engine.decide(connection, createTestHead('GET /accounts/alice?a;b')).reason, 'input_not_representable')
})
