import assert from 'node:assert/strict'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { findOpa } from '@picket/policy'
import { createScratchFolder, picket, PicketProcess, type Finished } from '../testing.ts'

const opa = await findOpa({ env: process.env }).catch(() => undefined)
const skip = opa ? false : 'opa is missing: npm run picket -- toolchain install'

const RULES = 'package picket.authz\n\ndefault allow := false\n\nallow if input.caller.service == "gateway"\n'
const TESTS = `package picket.authz_test

import data.picket.authz

test_gateway_may if authz.allow with input as {"caller": {"service": "gateway"}}

test_others_may_not if not authz.allow with input as {"caller": {"service": "fraud"}}
`

async function withPolicies(files: Record<string, string>, body: (folder: string) => Promise<void>): Promise<void> {
  await using scratch = await createScratchFolder()
  const folder = join(scratch.path, 'policies')
  await mkdir(folder)
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  await body(folder)
}

const policy = (...args: string[]): Promise<Finished> => picket('policy', ...args, '--opa', opa?.path ?? '')

test('policy test tells what passed, and fails when a test does', { skip }, () =>
  withPolicies({ 'authz.rego': RULES, 'authz_test.rego': TESTS }, async (folder) => {
    const good = await policy('test', folder)
    assert.equal(good.code, 0, good.err)
    assert.match(good.out, /test_gateway_may: PASS/)
    const covered = JSON.parse((await policy('test', folder, '--coverage', '-o', 'json')).out) as { items: object[] }
    assert.deepEqual(covered.items, [
      { directory: folder, passed: 2, failed: 0, skipped: 0, coveragePercent: 100, failures: [] },
    ])
    await writeFile(join(folder, 'authz_test.rego'), TESTS.replace('"fraud"', '"gateway"'))
    const bad = await policy('test', folder, '-o', 'json')
    assert.equal(bad.code, 1)
    const [item] = (JSON.parse(bad.out) as { items: { failures: { file: string; line: number; test: string }[] }[] })
      .items
    assert.deepEqual(item!.failures, [
      { file: join(folder, 'authz_test.rego'), line: 7, test: 'picket.authz_test.test_others_may_not' },
    ])
  }),
)

test('a skipped test is a finding unless told otherwise', { skip }, () =>
  withPolicies({ 'authz.rego': RULES, 'authz_test.rego': `${TESTS}\ntodo_test_later if true\n` }, async (folder) => {
    assert.equal((await policy('test', folder)).code, 1)
    assert.equal((await policy('test', folder, '--exit-zero-on-skipped')).code, 0)
  }),
)

test('policy test fails below the coverage that was asked for', { skip }, () =>
  withPolicies({ 'authz.rego': `${RULES}\nallow if input.x\n`, 'authz_test.rego': TESTS }, async (folder) => {
    assert.equal((await policy('test', folder, '--threshold', '50')).code, 0)
    const { code, err } = await policy('test', folder, '--threshold', '100')
    assert.equal(code, 1)
    assert.match(err, /warning: coverage is below 100%/)
  }),
)

test('policy build writes a bundle and says what is in it', { skip }, () =>
  withPolicies({ 'authz.rego': RULES }, async (folder) => {
    const { code, out, err } = await policy('build', folder, '--revision', 'r1', '-o', 'json')
    assert.equal(code, 0, err)
    const [item] = (JSON.parse(out) as { items: { file: string; revision: string; bytes: number }[] }).items
    assert.deepEqual([item!.file, item!.revision], [join(folder, 'authz.bundle.tar.gz'), 'r1'])
    assert.equal((await stat(item!.file)).size, item!.bytes)
  }),
)

for (const verb of ['test', 'build']) {
  test(`policy ${verb} tells Rego that does not compile as FILE:LINE: MESSAGE, and writes nothing`, { skip }, () =>
    withPolicies({ 'authz.rego': `${RULES}\nallow if {\n  foo(\n}\n`, 'authz_test.rego': TESTS }, async (folder) => {
      const { code, out, err } = await policy(verb, folder)
      assert.deepEqual([code, out], [1, ''])
      assert.match(err, new RegExp(`^${folder}/authz\\.rego:9: rego_parse_error: `, 'm'))
      await assert.rejects(readFile(join(folder, 'authz.bundle.tar.gz')), { code: 'ENOENT' })
    }),
  )
}

test('a compiler that is not there is told with the way to have one', () =>
  withPolicies({ 'authz.rego': RULES }, async (folder) => {
    const { code, err } = await picket('policy', 'build', folder, '--opa', '/no/such/opa')
    assert.equal(code, 1)
    assert.match(err, /picket: --opa names \/no\/such\/opa/)
    await using nowhere = await createScratchFolder()
    const environment = { PATH: nowhere.path, XDG_CACHE_HOME: nowhere.path }
    const show = await new PicketProcess(['toolchain', 'show'], environment).finished
    assert.equal(show.code, 1)
    assert.match(show.err, /picket toolchain install/)
  }))
