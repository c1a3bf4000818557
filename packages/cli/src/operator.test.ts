import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createScratchFolder, picket, picketHere, PicketProcess, type Finished, type ScratchFolder } from './testing.ts'

const bundle = fileURLToPath(new URL('../../../policies/authz.bundle.tar.gz', import.meta.url))
let scratch: ScratchFolder
let dataDir: string
let controlPlane: PicketProcess

const asOperator = (...args: string[]): Promise<Finished> => picketHere(...args, '--data-dir', dataDir)

async function itemsOf<T>(...args: string[]): Promise<T[]> {
  const { code, out, err } = await asOperator(...args, '-o', 'json')
  assert.equal(code, 0, err)
  const { apiVersion, items } = JSON.parse(out) as { apiVersion: string; items: T[] }
  assert.equal(apiVersion, 'picket/v1')
  return items
}

before(async () => {
  scratch = await createScratchFolder()
  dataDir = join(scratch.path, 'data')
  const { code, err } = await picket('ca', 'init', '--trust-domain', 'bank.test', '--data-dir', dataDir)
  assert.equal(code, 0, err)
  assert.match(err, /Next: picket control-plane --data-dir/)
  controlPlane = startControlPlane()
  await waitUntilServing()
})

after(async () => {
  await controlPlane[Symbol.asyncDispose]()
  await scratch[Symbol.asyncDispose]()
})

function startControlPlane(): PicketProcess {
  return new PicketProcess([
    'control-plane',
    '--data-dir',
    dataDir,
    '--listen',
    '127.0.0.1:0',
    '--health',
    '127.0.0.1:0',
  ])
}

async function waitUntilServing(): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    if ((await asOperator('status')).code === 0) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  controlPlane.kill()
  assert.fail(`the control plane does not answer: ${(await controlPlane.finished).err}`)
}

test('entries are created, listed and deleted', async () => {
  const [created] = await itemsOf<{ id: string }>(
    'entry',
    'create',
    '/payments',
    '--selector',
    'service:payments',
    '--ttl',
    '30m',
  )
  const { id, ...rest } = created as { id: string } & Record<string, unknown>
  assert.equal(rest['spiffeId'], 'spiffe://bank.test/payments')
  assert.equal(rest['ttlSeconds'], 1800)
  assert.match(String(rest['createdAt']), /^\d{4}-\d\d-\d\dT.*Z$/)
  assert.match(
    (await asOperator('entry', 'list')).out,
    /ENTRY ID .*\n.*spiffe:\/\/bank\.test\/payments .*service:payments .*30m/,
  )
  assert.equal((await itemsOf('entry', 'list')).length, 1)
  const deleted = await asOperator('entry', 'delete', id)
  assert.deepEqual([deleted.code, deleted.out], [0, ''])
  assert.deepEqual(await itemsOf('entry', 'list'), [])
  const again = await asOperator('entry', 'delete', id)
  assert.equal(again.code, 1)
  assert.match(again.err, /^picket: /)
})

test('an entry that cannot be is refused with a reason', async () => {
  for (const id of ['spiffe://other.test/payments', 'spiffe://bank.test/picket/operator', '/a//b']) {
    const { code, out, err } = await asOperator('entry', 'create', id, '--selector', 'service:x')
    assert.ok(code === 1 || code === 2, id)
    assert.equal(out, '')
    assert.match(err, /^picket: .+/)
    assert.doesNotMatch(err, /\n\s+at /)
  }
})

test('a token is shown once, with its end', async () => {
  const [token] = await itemsOf<{ token: string; expiresAt: string }>(
    'token',
    'create',
    '--selector',
    'service:payments',
  )
  assert.ok(token!.token.length >= 20)
  const leftMs = Date.parse(token!.expiresAt) - Date.now()
  assert.ok(leftMs > 590_000 && leftMs < 610_000, String(leftMs))
  const other = await asOperator('token', 'create', '--selector', 'service:payments')
  assert.match(other.err, /works once/)
  assert.equal((await asOperator('token', 'create', '--selector', 'service:payments', '-q')).err, '')
})

test('a policy is pushed, listed and shown in the status', async () => {
  const [pushed] = await itemsOf<{ revision: string; digest: string }>('policy', 'push', bundle)
  const [listed] = await itemsOf<{ revision: string; active: boolean }>('policy', 'list')
  assert.deepEqual([listed!.revision, listed!.active], [pushed!.revision, true])
  const [status] = await itemsOf<{ policyRevision: string; trustDomain: string }>('status')
  assert.deepEqual([status!.policyRevision, status!.trustDomain], [pushed!.revision, 'bank.test'])
  assert.match((await asOperator('status')).out, /Trust domain: +bank\.test\n/)
})

test('what is no policy bundle is refused whole', async () => {
  const before = await itemsOf('policy', 'list')
  const garbage = join(scratch.path, 'garbage.tar.gz')
  const truncated = join(scratch.path, 'truncated.tar.gz')
  await writeFile(garbage, 'not a bundle')
  await writeFile(truncated, (await readFile(bundle)).subarray(0, 1000))
  for (const file of [garbage, truncated, join(scratch.path, 'missing.tar.gz'), scratch.path]) {
    const { code, out, err } = await asOperator('policy', 'push', file)
    assert.deepEqual([code, out], [1, ''], file)
    assert.match(err, /^picket: .+/)
    assert.doesNotMatch(err, /\n\s+at /)
  }
  assert.deepEqual(await itemsOf('policy', 'list'), before)
})

interface StatusItem {
  readonly sidecars: readonly {
    readonly spiffeId: string
    readonly connected: boolean
    readonly ready: boolean
    readonly svid: { readonly serialNumber: string }
    readonly resources: readonly { readonly kind: string; readonly state: string }[]
  }[]
}

async function untilStatus(
  accept: (sidecar: StatusItem['sidecars'][number]) => boolean,
): Promise<StatusItem['sidecars'][number]> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const [status] = await itemsOf<StatusItem>('status')
    const found = status!.sidecars.find(accept)
    if (found) return found
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  assert.fail(JSON.stringify(await itemsOf('status')))
}

test('an app run with a token joins the mesh: status shows it, its certificate is rotated, it leaves', async () => {
  await itemsOf('policy', 'push', bundle)
  await itemsOf('entry', 'create', '/fraud', '--selector', 'service:fraud')
  const tokenFile = join(scratch.path, 'token')
  const created = ['token', 'create', '--selector', 'service:fraud', '--token-file', tokenFile]
  const [shown] = await itemsOf<{ token: null; tokenFile: string }>(...created)
  assert.deepEqual([shown!.token, shown!.tokenFile], [null, tokenFile], 'a token in a file is not shown')
  assert.equal((await stat(tokenFile)).mode & 0o777, 0o600)
  const address = await readFile(join(dataDir, 'operator/address'), 'utf8')
  const mesh = ['--control-plane', address.trim(), '--trust-domain', 'bank.test', '--join-token-file', tokenFile]
  const app = ['--trust-bundle', join(dataDir, 'trust-bundle.pem'), '--app', '127.0.0.1:9', '--inbound', '127.0.0.1:0']
  const listen = ['--advertise', '127.0.0.1:0', '--outbound-listener', '127.0.0.1:0', '--admin', '127.0.0.1:0']
  const script = "console.log('app is up', process.env.PICKET_OUTBOUND); setInterval(() => {}, 1000)"
  await using running = new PicketProcess(['run', ...mesh, ...app, ...listen, '--', process.execPath, '-e', script])
  await running.until(/app is up 127\.0\.0\.1:\d+/)
  const before = await untilStatus(
    ({ spiffeId, resources }) =>
      spiffeId.endsWith('/fraud') &&
      resources.some(({ kind, state }) => kind === 'policy-bundle' && state === 'synced'),
  )
  assert.equal(before.connected, true)
  const table = (await asOperator('status')).out
  assert.match(table, /spiffe:\/\/bank\.test\/fraud +127\.0\.0\.1:\d+ .* ec-p256 +X25519MLKEM768 +[0-9a-f]{8} +synced/)
  assert.match(table, /spiffe:\/\/bank\.test\/fraud is not ready: .*app_unreachable/)
  assert.deepEqual(await itemsOf('cert', 'rotate', 'fraud'), [{ spiffeId: 'spiffe://bank.test/fraud' }])
  await untilStatus(
    ({ spiffeId, svid }) => spiffeId.endsWith('/fraud') && svid.serialNumber !== before.svid.serialNumber,
  )
  running.kill('SIGTERM')
  assert.equal((await running.finished).code, 143)
  await untilStatus(({ spiffeId, connected }) => spiffeId.endsWith('/fraud') && !connected)
})

test('rotating whom nobody runs is a finding', async () => {
  const { code, err } = await asOperator('cert', 'rotate', '/payments')
  assert.equal(code, 1)
  assert.match(err, /warning: no sidecar of \/payments is connected/)
})

test('SIGTERM stops the control plane with 0, it restarts with everything, and its absence is told', async () => {
  await asOperator('entry', 'create', '/ledger', '--selector', 'service:ledger')
  controlPlane.kill('SIGTERM')
  const stopped = await controlPlane.finished
  assert.deepEqual([stopped.code, stopped.signal], [0, null], stopped.err)
  for (const line of stopped.err.trim().split('\n'))
    assert.equal(typeof (JSON.parse(line) as { msg: string }).msg, 'string')
  const away = await asOperator('status')
  assert.equal(away.code, 1)
  assert.match(
    away.err,
    /^picket: no control plane answers at 127\.0\.0\.1:\d+: start it with: picket control-plane --data-dir /,
  )
  controlPlane = startControlPlane()
  await waitUntilServing()
  assert.ok((await itemsOf<{ spiffeId: string }>('entry', 'list')).some(({ spiffeId }) => spiffeId.endsWith('/ledger')))
})

test('a control plane without an authority says how to make one', async () => {
  await using empty = await createScratchFolder()
  const { code, err } = await picket(
    'control-plane',
    '--data-dir',
    empty.path,
    '--listen',
    '127.0.0.1:0',
    '--health',
    '127.0.0.1:0',
  )
  assert.equal(code, 1)
  assert.match(err, /picket ca init/)
})

test('a damaged sealed key or database stops the control plane from starting, and nothing is overwritten', async () => {
  await using own = await createScratchFolder()
  await picketHere('ca', 'init', '--trust-domain', 'bank.test', '--data-dir', own.path)
  const args = ['control-plane', '--data-dir', own.path, '--listen', '127.0.0.1:0', '--health', '127.0.0.1:0']
  const sealed = join(own.path, 'ca/authorities.json')
  const sound = await readFile(sealed)
  for (const [file, bytes] of [
    [join(own.path, 'picket.db'), Buffer.alloc(8192, 'not a database ')],
    [sealed, Buffer.concat([sound.subarray(0, -1), Buffer.of(sound.at(-1)! ^ 1)])],
  ] as const) {
    await writeFile(file, bytes)
    const { code, err } = await picket(...args)
    assert.equal(code, 1, err)
    assert.match(err, new RegExp(`^picket: .*${file}`, 'm'))
    assert.doesNotMatch(err, /\n\s+at /)
    assert.deepEqual(await readFile(file), bytes)
  }
})
