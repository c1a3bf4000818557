import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createScratchFolder, picket, picketHere, PicketProcess } from './testing.ts'

test('help is data: on standard output, with 0', async () => {
  for (const args of [['--help'], ['entry', '--help'], ['entry', 'create', '-h'], ['--version']]) {
    const { code, out, err } = await picket(...args)
    assert.deepEqual([code, err], [0, ''], args.join(' '))
    assert.ok(out.length > 0)
  }
})

const WRONG = [
  [[], /COMMAND/],
  [['entry'], /Usage: picket entry/],
  [['statsu'], /picket: unknown command 'statsu'\n\(Did you mean status\?\)/],
  [['entry', 'craete'], /picket: unknown command 'craete'\n\(Did you mean create\?\)/],
  [['sidecar', '--inbuond', 'x:1'], /picket: unknown option '--inbuond'\n\(Did you mean --inbound\?\)/],
  [['ports', '-o', 'yaml'], /picket: option '-o, --output <FORMAT>' argument 'yaml' is invalid.*table, json/s],
  [['ports', 'extra'], /picket: too many arguments/],
  [['token', 'create'], /picket: required option '--selector/],
  [['token', 'create', '--selector', 'payments'], /picket: .*TYPE:VALUE/],
  [['cert', 'rotate'], /picket: say whose SVID/],
  [['run'], /picket: missing required argument/],
] as const

for (const [args, complaint] of WRONG) {
  test(`"picket ${args.join(' ')}" is a usage error: 2, told on standard error, no stack`, async () => {
    const { code, out, err } = await picket(...args)
    assert.deepEqual([code, out], [2, ''])
    assert.match(err, complaint)
    assert.doesNotMatch(err, /\n\s+at /)
  })
}

test('an unknown key in a file is told with its line and the nearest name', async () => {
  await using scratch = await createScratchFolder()
  const file = join(scratch.path, 'sidecar.yaml')
  await writeFile(file, 'trustBundle: x\n\ninbuond: 127.0.0.1:7443\n')
  const { code, err } = await picket('sidecar', '--config', file)
  assert.equal(code, 2)
  assert.match(err, /^sidecar\.yaml:3: unknown key "inbuond": did you mean "inbound"\?$/m)
})

test('contradictory settings are a usage error', async () => {
  const { code, err } = await picket('sidecar', '--trust-bundle', 'x')
  assert.equal(code, 2)
  assert.match(err, /no source of identity/)
})

test('--print-config shows what counts, redacted, and starts nothing', async () => {
  const args = ['sidecar', '--trust-bundle', 'x.pem', '--print-config']
  await using running = new PicketProcess(args, { PICKET_JOIN_TOKEN: 'hunter2', PICKET_APP: '127.0.0.1:80' })
  const { code, out } = await running.finished
  assert.equal(code, 0)
  assert.match(out, /# PICKET_APP\napp: 127\.0\.0\.1:80/)
  assert.match(out, /# PICKET_JOIN_TOKEN\njoinToken: "?\[redacted\]/)
  assert.doesNotMatch(out, /hunter2/)
  const json = JSON.parse((await picket(...args, '-o', 'json')).out) as { kind: string; items: { key: string }[] }
  assert.equal(json.kind, 'SettingList')
  assert.ok(json.items.some(({ key }) => key === 'trustBundle'))
})

test('ports come as a table, without headers, as JSON', async () => {
  const table = (await picket('ports')).out.split('\n')
  assert.match(table[0]!, /^PORT +PROCESS/)
  assert.match((await picket('ports', '--no-headers')).out, /^7400 /)
  const document = JSON.parse((await picket('-o', 'json', 'ports')).out) as Record<string, unknown>
  assert.deepEqual(Object.keys(document), ['apiVersion', 'kind', 'items'])
})

test('without a control plane the operator is told how to start one', async () => {
  await using scratch = await createScratchFolder()
  const { code, out, err } = await picket('status', '--data-dir', scratch.path)
  assert.deepEqual([code, out], [1, ''])
  assert.match(
    err,
    new RegExp(`no operator identity in ${scratch.path}.*start it with: picket control-plane --data-dir`),
  )
  const debug = await picket('status', '--data-dir', scratch.path, '--debug')
  assert.match(debug.err, /caused by Error \[ENOENT\]/)
})

test('dev certs makes SVIDs of one authority that openssl accepts, keys private', async (t) => {
  await using scratch = await createScratchFolder()
  const directory = join(scratch.path, 'certs')
  const { code, out, err } = await picket('dev', 'certs', 'billing', '--directory', directory, '-o', 'json')
  assert.equal(code, 0, err)
  assert.match(err, /curl --cacert/)
  assert.match(err, /openssl s_client/)
  const { items } = JSON.parse(out) as { items: { spiffeId: string }[] }
  assert.ok(items.some(({ spiffeId }) => spiffeId === 'spiffe://bank.test/billing'))
  const folders = (await readdir(directory)).sort()
  assert.deepEqual(folders, ['accounts', 'billing', 'fraud', 'gateway', 'ledger', 'payments', 'support-portal'])
  const bundle = await readFile(join(directory, 'gateway/bundle.pem'), 'utf8')
  for (const folder of folders) {
    const file = (name: string): string => join(directory, folder, name)
    assert.equal((await stat(file('key.pem'))).mode & 0o777, 0o600)
    assert.equal(await readFile(file('bundle.pem'), 'utf8'), bundle)
    const inspected = await picketHere(
      'cert',
      'inspect',
      file('svid.pem'),
      '--trust-bundle',
      file('bundle.pem'),
      '-o',
      'json',
    )
    assert.deepEqual([inspected.code, inspected.err], [0, ''])
    const verify = spawnSync('openssl', ['verify', '-x509_strict', '-CAfile', file('bundle.pem'), file('svid.pem')])
    if (verify.error) t.diagnostic('openssl is not here: install openssl to check its view')
    else assert.equal(verify.status, 0, String(verify.stderr))
  }
  const again = join(scratch.path, 'other')
  await picket('dev', 'certs', '--directory', again, '-q')
  const foreign = await picketHere(
    'cert',
    'inspect',
    join(again, 'ledger/svid.pem'),
    '--trust-bundle',
    join(directory, 'ledger/bundle.pem'),
  )
  assert.equal(foreign.code, 1)
  assert.match(foreign.err, /warning: .* does not vouch for it: .*unknown-authority/)
})

test('the launcher runs the command on a Node that is too old for it', { skip: !existsSync('/usr/bin/node') }, () => {
  const launcher = fileURLToPath(new URL('../bin/picket.js', import.meta.url))
  for (const node of ['/usr/bin/node', process.execPath]) {
    const good = spawnSync(node, [launcher, 'ports', '--no-headers'], { encoding: 'utf8' })
    assert.deepEqual([good.status, good.stderr], [0, ''], node)
    assert.match(good.stdout, /^7400 /)
    assert.equal(spawnSync(node, [launcher, 'nonsense']).status, 2)
  }
})
