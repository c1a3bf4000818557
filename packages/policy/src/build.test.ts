import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { buildBundle, type BuildOptions } from './build.ts'
import { createPolicyEngine } from './engine.ts'
import { PolicyError, type PolicyErrorCode } from './error.ts'
import { createTestContext, createTestHead } from './testing.ts'
import { testPolicies } from './test-runner.ts'
import { findOpa, OPA_MISSING_HINT } from './toolchain.ts'

const opa = await findOpa({ env: process.env })

/** One counted line for all of `body` on a machine without the compiler. */
function describeWithOpa(what: string, body: () => void): void {
  if (opa) describe(what, body)
  else test(what, { skip: OPA_MISSING_HINT }, () => {})
}

const POLICY = `package picket.authz

default allow := false

allow if input.attributes.request.http.method == "GET"
`

async function withPolicies<T>(
  files: Readonly<Record<string, string>>,
  body: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'picket-build-'))
  try {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true })
      await writeFile(join(folder, name), text)
    }
    return await body(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const build = (
  files: Readonly<Record<string, string>>,
  options: Omit<BuildOptions, 'opa'> = {},
): ReturnType<typeof buildBundle> => withPolicies(files, (folder) => buildBundle(folder, { opa: opa!, ...options }))

async function failure(work: Promise<unknown>, code: PolicyErrorCode): Promise<PolicyError> {
  const thrown: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  assert(thrown instanceof PolicyError, String(thrown))
  assert.equal(thrown.code, code, thrown.message)
  return thrown
}

describeWithOpa('building a bundle', () => {
  test('notes what it is made of and what it reads', async () => {
    const bundle = await build({
      'a/authz.rego': POLICY,
      'data.json': '{"limits":{"max":1},"picket":{"other":2}}',
      'lib/names.rego': 'package lib.names\n\nx := input.caller.path\n',
      'lib/unused_test.rego': 'package lib.names_test\n\ntest_x if true\n',
    })
    assert.match(bundle.revision, /^[0-9a-f]{12}$/)
    assert.deepEqual(bundle.roots, ['lib/names', 'limits', 'picket'])
    assert.deepEqual(bundle.entrypoints, ['picket/authz/allow'])
    assert.deepEqual(bundle.data, { limits: { max: 1 }, picket: { other: 2 } })
    assert.equal(bundle.metadata?.compiler, `opa ${opa?.version}`)
    assert.deepEqual(bundle.metadata?.builtins, [])
    assert.deepEqual(bundle.metadata?.input, {
      'picket/authz/allow': [['attributes', 'request', 'http', 'method']],
    })
  })

  test('twice gives the same bytes; another source, another revision', async () => {
    const [one, two, other] = await Promise.all([
      build({ 'a.rego': POLICY }),
      build({ 'a.rego': POLICY }),
      build({ 'a.rego': `${POLICY}\n` }),
    ])
    assert.deepEqual(one.bytes, two.bytes)
    assert.notEqual(one.revision, other.revision)
  })

  test('takes a revision and other entrypoints', async () => {
    const text = 'package mesh\n\ndefault ok := false\n\nwhy := input.caller.path\n'
    const options = { revision: 'v7', entrypoint: 'mesh/ok', explanation: 'mesh/why' }
    const bundle = await build({ 'a.rego': text }, options)
    assert.deepEqual([bundle.revision, bundle.entrypoints], ['v7', ['mesh/ok', 'mesh/why']])
    using engine = await createPolicyEngine(bundle, options)
    assert.equal(engine.decide(engine.connect(createTestContext()), createTestHead('GET /')).detail, '/gateway')
  })

  test('finds out what is read in every way of reading', async () => {
    const rows: readonly (readonly [body: string, references: string[][]])[] = [
      ['input.caller.path == "/a"', [['caller', 'path']]],
      ['x := input; x.caller.path == "/a"', [['caller', 'path']]],
      ['input.parsed_path[0] == "a"', [['parsed_path']]],
      ['some s in input.parsed_path; s == "a"', [['parsed_path']]],
      ['k := input.direction; input.service[k] == 1', [['direction'], ['service']]],
      ['input.caller; input.caller.path', [['caller']]],
      ['not input.attributes.request.http.headers["x-a"]', [['attributes', 'request', 'http', 'headers', 'x-a']]],
      ['some name; input.attributes.request.http.headers[name] == "1"', [['attributes', 'request', 'http', 'headers']]],
      ['every p in input.parsed_path { p != input.direction }', [['direction'], ['parsed_path']]],
      ['count({p | some p in input.parsed_path}) == 1', [['parsed_path']]],
      ['{"caller": {"path": p}} = input; p == "/a"', [[]]],
      ['walk(input, [_, v]); v == "a"', [[]]],
      ['input[input.direction] == 1', [[]]],
      ['object.get(input, ["caller", "path"], "") == "/a"', [[]]],
      ['f(input)', [[]]],
      ['is_get with input as {"method": input.direction}', [[]]],
    ]
    await Promise.all(
      rows.map(async ([body, references]) => {
        const helpers = 'f(x) if x.caller.path == "/a"\n\nis_get if input.method == "GET"\n'
        const text = `package picket.authz\n\ndefault allow := false\n\nallow if { ${body} }\n\n${helpers}`
        const { metadata } = await build({ 'a.rego': text })
        assert.deepEqual(metadata?.input['picket/authz/allow'], references, body)
      }),
    )
  })
})

describeWithOpa('refused to build', () => {
  test('Rego that does not parse, with file, line, column and message', async () => {
    const text = POLICY.replace('== "GET"', '=== "GET"')
    const { message, locations } = await failure(build({ 'sub/authz.rego': text }), 'ERR_POLICY_COMPILE')
    assert.deepEqual([locations[0]?.file, locations[0]?.line], ['sub/authz.rego', 5])
    assert.match(message, /^sub\/authz\.rego:5: .*unexpected/)
  })

  test('Rego that does not compile, each fault with its place', async () => {
    const { locations } = await failure(
      build({ 'a.rego': `${POLICY}\nb if x == 1\n\nc if y == 1\n` }),
      'ERR_POLICY_COMPILE',
    )
    assert.deepEqual(
      locations.map(({ line }) => line),
      [7, 9],
    )
  })

  test('a field that the input does not have, when there is a schema', async () => {
    const schema = '{"type":"object","properties":{"caller":{"type":"string"}},"additionalProperties":false}'
    const text = 'package picket.authz\n\ndefault allow := false\n\nallow if not input.calller == "a"\n'
    const { locations } = await failure(build({ 'a.rego': text, 'input.schema.json': schema }), 'ERR_POLICY_COMPILE')
    assert.match(locations[0]?.message ?? '', /calller.*known: caller/)
  })

  test('"not" with a builtin that can fail', async () => {
    const text =
      'package picket.authz\n\ndefault allow := false\n\nallow if not net.cidr_contains("10.0.0.0/8", input.caller.ip)\n'
    const { locations } = await failure(build({ 'a.rego': text }), 'ERR_POLICY_COMPILE')
    assert.deepEqual([locations[0]?.file, locations[0]?.line], ['a.rego', 5])
  })

  const rows: readonly (readonly [why: string, PolicyErrorCode, string])[] = [
    ['a policy without the entrypoint', 'ERR_POLICY_ENTRYPOINT', 'package picket.authz\n\nother := 1\n'],
    ['a policy of another package', 'ERR_POLICY_ENTRYPOINT', POLICY.replace('picket.authz', 'bank.authz')],
    ['a builtin that sidecars lack', 'ERR_POLICY_BUILTIN', `${POLICY}\nallow if time.now_ns() > 0\n`],
    ['a rule without a default', 'ERR_POLICY_SMOKE', POLICY.replace('default allow := false', '')],
    ['a rule that is no boolean', 'ERR_POLICY_SMOKE', POLICY.replace('false', '"no"')],
    ['an object as decision', 'ERR_POLICY_SMOKE', POLICY.replace('false', '{"allowed": false}')],
    [
      'rules that contradict each other',
      'ERR_POLICY_SMOKE',
      `${POLICY}\nallow := false if input.direction == "inbound"\n`,
    ],
  ]
  for (const [why, code, text] of rows) {
    test(why, async () => void (await failure(build({ 'a.rego': text }), code)))
  }

  test('a revision that a manifest cannot have', async () => {
    await failure(build({ 'a.rego': POLICY }, { revision: 'two words' }), 'ERR_BUNDLE_MANIFEST')
  })
})

describeWithOpa('running the tests of a policy', () => {
  const passing =
    'package picket.authz_test\n\nimport data.picket.authz\n\ntest_no if not authz.allow with input as {}\n'

  test('counts, and names each failure with its place', async () => {
    const failing = `${passing}\ntest_yes if authz.allow with input as {}\n\ntodo_test_later if true\n`
    const result = await withPolicies({ 'a.rego': POLICY, 'a_test.rego': failing }, (folder) =>
      testPolicies(folder, opa!),
    )
    assert.deepEqual([result.passed, result.failed, result.skipped, result.coverage], [1, 1, 1, undefined])
    assert.deepEqual(result.failures, [
      { file: 'a_test.rego', line: 7, column: 1, message: 'picket.authz_test.test_yes' },
    ])
    assert.match(result.output, /FAIL/)
  })

  test('measures coverage when asked', async () => {
    const files = { 'a.rego': POLICY, 'a_test.rego': passing }
    const result = await withPolicies(files, (folder) => testPolicies(folder, opa!, { coverage: true }))
    assert.deepEqual([result.passed, result.failed], [1, 0])
    assert(result.coverage !== undefined && result.coverage > 0 && result.coverage < 100)
  })

  test('tells apart failing tests from Rego that does not compile and from no tests at all', async () => {
    const broken = { 'a.rego': POLICY, 'a_test.rego': 'package a_test\n\ntest_a if x\n' }
    const { locations } = await failure(
      withPolicies(broken, (folder) => testPolicies(folder, opa!)),
      'ERR_POLICY_COMPILE',
    )
    assert.deepEqual([locations[0]?.file, locations[0]?.line], ['a_test.rego', 3])
    await failure(
      withPolicies({ 'a.rego': POLICY }, (folder) => testPolicies(folder, opa!)),
      'ERR_OPA_FAILED',
    )
  })
})
