import assert from 'node:assert/strict'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createScratchFolder, picketHere, PicketProcess, type ScratchFolder } from '../testing.ts'

const policy = fileURLToPath(new URL('../../../../policies/authz.bundle.tar.gz', import.meta.url))
let scratch: ScratchFolder

before(async () => {
  scratch = await createScratchFolder()
  assert.equal((await picketHere('dev', 'certs', '--directory', scratch.path)).code, 0)
})
after(() => scratch[Symbol.asyncDispose]())

function startSidecar(...flags: string[]): PicketProcess {
  const file = (name: string): string => join(scratch.path, 'payments', `${name}.pem`)
  const own = ['--svid', file('svid'), '--key', file('key'), '--trust-bundle', file('bundle'), '--policy', policy]
  return new PicketProcess(['sidecar', ...own, '--admin', '127.0.0.1:0', '--app', '127.0.0.1:9', ...flags])
}

test('a sidecar logs where it listens and who it is, drains on SIGTERM and ends with 0', async () => {
  await using sidecar = startSidecar('--inbound', '127.0.0.1:0', '--access-log', 'none')
  const [line] = await sidecar.until(/^.*"msg":"sidecar listens".*$/m, 'err')
  const record = JSON.parse(line) as { spiffeId: string; inbound: string; admin: string }
  assert.equal(record.spiffeId, 'spiffe://bank.test/payments')
  assert.match(record.inbound, /^127\.0\.0\.1:[1-9]/)
  assert.equal((await fetch(`http://${record.admin}/live`)).status, 200)
  sidecar.kill('SIGTERM')
  const { code, out, err } = await sidecar.finished
  assert.deepEqual([code, out], [0, ''], err)
  for (const logged of err.trim().split('\n')) assert.ok('msg' in (JSON.parse(logged) as object))
})

test('a port that is taken is told with its setting and the address', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const taken = `127.0.0.1:${(server.address() as AddressInfo).port}`
  await using sidecar = startSidecar('--inbound', taken)
  const { code, err } = await sidecar.finished
  server.close()
  assert.equal(code, 1)
  assert.match(err, new RegExp(`^picket: .*${taken}`, 'm'))
  assert.doesNotMatch(err, /\n\s+at /)
})

test('a file that is not what it should be is told with its path', async () => {
  const wrong = join(scratch.path, 'payments', 'key.pem')
  for (const flag of ['--svid', '--trust-bundle', '--policy']) {
    await using sidecar = startSidecar('--inbound', '127.0.0.1:0', flag, wrong)
    const { code, err } = await sidecar.finished
    assert.equal(code, 1, flag)
    assert.match(err, new RegExp(`^picket: .*${wrong}`, 'm'))
    assert.doesNotMatch(err, /PRIVATE KEY/)
  }
})
