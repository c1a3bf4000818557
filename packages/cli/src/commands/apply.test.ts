import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, before, test } from 'node:test'
import { systemClock } from '@picket/runtime'
import { runCli } from '../main.ts'
import {
  createScratchFolder,
  createTestContext,
  picketHere,
  PicketProcess,
  type Finished,
  type ScratchFolder,
} from '../testing.ts'

let scratch: ScratchFolder
let dataDir: string
let controlPlane: PicketProcess

before(async () => {
  scratch = await createScratchFolder()
  dataDir = join(scratch.path, 'data')
  assert.equal((await picketHere('ca', 'init', '--trust-domain', 'bank.test', '--data-dir', dataDir)).code, 0)
  const listen = ['--listen', '127.0.0.1:0', '--health', '127.0.0.1:0']
  controlPlane = new PicketProcess(['control-plane', '--data-dir', dataDir, ...listen])
  await controlPlane.until(/control plane serves/, 'err')
})
after(async () => {
  await controlPlane[Symbol.asyncDispose]()
  await scratch[Symbol.asyncDispose]()
})

const asOperator = (...args: string[]): Promise<Finished> => picketHere(...args, '--data-dir', dataDir)

async function fileOf(text: string): Promise<string> {
  const path = join(scratch.path, 'entries.yaml')
  await writeFile(path, text)
  return path
}

const itemsIn = ({ out }: Finished): { action: string; spiffeId: string }[] =>
  (JSON.parse(out) as { items: { action: string; spiffeId: string }[] }).items

const TWO = `entries:
- {spiffe_id: /payments, selectors: [service:payments], hint: internal, federates_with: [partner.test]}
- {spiffe_id: '/ns/{k8s.ns}/sa/{k8s.sa}', selectors: ['k8s:cluster:east']}
`

test('a file is planned, applied and then found as it is; what is in no file is drift until it is pruned', async () => {
  const file = await fileOf(TWO)
  const planned = await asOperator('apply', '-f', file, '--plan')
  assert.equal(planned.code, 1)
  assert.match(planned.out, /ACTION +SPIFFE ID .*\ncreate +spiffe:\/\/bank\.test\/payments/)
  assert.match(planned.err, /2 would be created/)
  assert.equal(
    (await asOperator('entry', 'list', '-o', 'json')).out.includes('payments'),
    false,
    '--plan changes nothing',
  )
  const applied = await asOperator('apply', '-f', file, '-o', 'json')
  assert.equal(applied.code, 0, applied.err)
  assert.deepEqual(
    itemsIn(applied).map(({ action }) => action),
    ['create', 'create'],
  )
  const again = await asOperator('apply', '-f', file, '--plan')
  assert.deepEqual([again.code, again.out.trim().split('\n').length], [0, 1], again.out)
  const list = (await asOperator('entry', 'list')).out
  assert.match(list, /\/payments .* internal +partner\.test/)

  await asOperator(
    'entry',
    'create',
    '/extra',
    '--selector',
    'service:extra',
    '--hint',
    'h',
    '--federates-with',
    'x.test',
  )
  const drift = await asOperator('apply', '-f', file, '--plan')
  assert.equal(drift.code, 1)
  assert.match(drift.out, /unmanaged +spiffe:\/\/bank\.test\/extra/)
  assert.equal((await asOperator('apply', '-f', file)).code, 0)
  assert.match((await asOperator('entry', 'list')).out, /extra/, 'without --prune nothing is deleted')
  assert.equal((await asOperator('apply', '-f', file, '--prune')).code, 0)
  assert.doesNotMatch((await asOperator('entry', 'list')).out, /extra/)
})

test('a file of entries that exchange their names is applied as one set', async () => {
  const exchanged = (a: string, b: string): string => `entries:
- {spiffe_id: /one, selectors: [service:one], service: ${a}}
- {spiffe_id: /two, selectors: [service:two], service: ${b}}
`
  assert.equal((await asOperator('apply', '-f', await fileOf(exchanged('left', 'right')))).code, 0)
  const swapped = await asOperator('apply', '-f', await fileOf(exchanged('right', 'left')))
  assert.equal(swapped.code, 0, swapped.err)
  const clash = await asOperator('apply', '-f', await fileOf(exchanged('same', 'same')))
  assert.deepEqual([clash.code, clash.out], [1, ''])
  assert.match(clash.err, /is the service "same" already/)
})

test('standard input is read, and what is wrong in it is said with its line, before anything is asked', async () => {
  const read = async (text: string, ...more: string[]): Promise<{ code: number; err: string }> => {
    const context = Object.assign(createTestContext(), {
      clock: systemClock,
      stdin: Readable.from([Buffer.from(text)]),
    })
    const code = await runCli(['apply', '-f', '-', '--data-dir', dataDir, ...more], context)
    return { code, err: context.printed.err }
  }
  assert.equal((await read('{spiffe_id: /stdin, selectors: [service:stdin]}')).code, 0)
  const bad = await read('entries:\n- {spiffe_id: /x, selektors: [a:1]}')
  assert.equal(bad.code, 2)
  assert.match(bad.err, /standard input:2: entries\[0\]: unknown key "selektors": did you mean "selectors"\?/)
  const empty = await read('', '--prune')
  assert.equal(empty.code, 2)
  assert.match(empty.err, /would delete all/)
  const missing = await asOperator('apply', '-f', join(scratch.path, 'missing.yaml'))
  assert.equal(missing.code, 2)
  assert.match(missing.err, /there is no such file/)
})

test('"no identity" is explained: what was not proved for the entry that came nearest', async () => {
  await asOperator('entry', 'create', '/fraud', '--selector', 'service:fraud', '--selector', 'zone:core')
  const near = await asOperator('explain', 'no-identity', '--for', 'service:fraud')
  assert.equal(near.code, 0, near.err)
  assert.match(near.out, /now +spiffe:\/\/bank\.test\/fraud +zone:core +not all selectors are proved +service:fraud/)
  const byId = await asOperator('explain', 'no-identity', '--for', 'spiffe://bank.test/fraud')
  assert.match(byId.out, /fraud +service:fraud zone:core/)
  const given = await asOperator('explain', 'no-identity', '--for', 'service:fraud,zone:core')
  assert.match(given.err, /these facts give spiffe:\/\/bank\.test\/fraud/)
  const place = await asOperator('explain', 'no-identity', '--for', 'k8s:cluster:east,k8s:ns:prod')
  assert.match(place.out, /\{k8s\.sa\} has no value/)
  assert.equal((await asOperator('explain', 'no-identity', '--for', 'nonsense')).code, 2)
})
