import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createScratchFolder, picketHere, PicketProcess, type Finished, type ScratchFolder } from '../testing.ts'

/** Two trust domains in one process each; bank.test fetches from partner.test. */
let scratch: ScratchFolder
let endpoint: string
const running: PicketProcess[] = []

const bankDir = (): string => join(scratch.path, 'bank.test')
const partnerDir = (): string => join(scratch.path, 'partner.test')
const asOperator = (...args: string[]): Promise<Finished> => picketHere(...args, '--data-dir', bankDir())

async function itemsOf(...args: string[]): Promise<Record<string, unknown>[]> {
  const { code, out, err } = await asOperator(...args, '-o', 'json')
  assert.equal(code, 0, err)
  return (JSON.parse(out) as { items: Record<string, unknown>[] }).items
}

async function startControlPlane(trustDomain: string, ...flags: string[]): Promise<PicketProcess> {
  const dataDir = join(scratch.path, trustDomain)
  const { code, err } = await picketHere('ca', 'init', '--trust-domain', trustDomain, '--data-dir', dataDir)
  assert.equal(code, 0, err)
  const listen = ['--listen', '127.0.0.1:0', '--health', '127.0.0.1:0']
  const started = new PicketProcess(['control-plane', '--data-dir', dataDir, ...listen, ...flags])
  running.push(started)
  await started.until(/"msg":"control plane serves"/, 'err')
  return started
}

before(async () => {
  scratch = await createScratchFolder()
  const [partner] = await Promise.all([
    startControlPlane('partner.test', '--bundle-endpoint', '127.0.0.1:0'),
    startControlPlane('bank.test'),
  ])
  const [, listen] = await partner.until(/"listen":"([^"]+)"[^\n]*"msg":"bundle endpoint serves"/, 'err')
  endpoint = `https://${listen}/`
})

after(async () => {
  for (const process of running) await process[Symbol.asyncDispose]()
  await scratch[Symbol.asyncDispose]()
})

const byWhom = (): string[] => [
  '--profile',
  'https_spiffe',
  '--endpoint-id',
  'spiffe://partner.test/picket/control-plane',
]

test('a relationship is set with the other domain’s PEM bundle, and brings the whole bundle', async () => {
  assert.deepEqual(await itemsOf('federation', 'list'), [])
  const bundle = join(partnerDir(), 'trust-bundle.pem')
  const [item] = await itemsOf('federation', 'set', 'partner.test', '--url', endpoint, ...byWhom(), '--bundle', bundle)
  const { fetchedAt, nextFetchAt, bundle: held, ...rest } = item!
  assert.deepEqual(rest, {
    trustDomain: 'partner.test',
    url: endpoint,
    profile: 'https_spiffe',
    endpointSpiffeId: 'spiffe://partner.test/picket/control-plane',
    failure: null,
  })
  for (const instant of [fetchedAt, nextFetchAt]) assert.match(String(instant), /^\d{4}-\d\d-\d\dT/)
  const { sequence, refreshHintSeconds, ...counts } = held as Record<string, unknown>
  assert.deepEqual(counts, { x509Authorities: 1, jwtAuthorities: 1 })
  assert.ok(Number(sequence) > 0 && Number(refreshHintSeconds) > 0)
  assert.match(
    (await asOperator('federation', 'list')).out,
    /^TRUST DOMAIN .*\npartner\.test +https_spiffe +https:\S+ +sequence \d+ .* ago +in .* +ok\n$/,
  )
  const { code, out } = await asOperator('federation', 'show', 'partner.test')
  assert.equal(code, 0)
  assert.match(out, /^Bundle: +sequence \d+, 1 X\.509 and 1 JWT authorities, refresh hint /m)
})

test('a refresh that fails ends with 1, keeps the bundle and says why', async () => {
  const elsewhere = ['--endpoint-id', 'spiffe://partner.test/somebody-else', '--profile', 'https_spiffe']
  const set = await asOperator('federation', 'set', 'partner.test', '--url', endpoint, ...elsewhere)
  assert.equal(set.code, 0, set.err)
  assert.match(set.err, /warning: the bundle of partner\.test was not fetched: wrong-id: .* \(wrong-endpoint\); .* in /)
  for (const command of ['refresh', 'show']) {
    const { code, out } = await asOperator('federation', command, 'partner.test')
    assert.equal(code, 1)
    assert.match(out, /WRONG-ENDPOINT|failed: wrong-endpoint/)
    assert.match(out, /sequence \d+/)
  }
  await itemsOf('federation', 'set', 'partner.test', '--url', endpoint, ...byWhom())
  assert.equal((await asOperator('federation', 'refresh', 'partner.test')).code, 0)
})

test('what cannot be a relationship is refused with a reason', async () => {
  const url = ['--url', endpoint]
  const garbage = join(scratch.path, 'garbage.json')
  await writeFile(garbage, '{"keys": 1}')
  const refused: [string[], number, RegExp][] = [
    [['Partner.test', ...url, ...byWhom()], 2, /Partner\.test/],
    [['bank.test', ...url, ...byWhom()], 1, /this trust domain/],
    [['other.test', ...url, '--profile', 'https_spiffe'], 1, /SPIFFE ID/],
    [['other.test', ...url, ...byWhom().slice(0, 2), '--endpoint-id', 'spiffe://other.test/x'], 1, /--bundle FILE/],
    [['other.test', ...url, '--profile', 'https'], 2, /https_spiffe, https_web/],
    [['other.test', '--profile', 'https_web'], 2, /--url/],
    [['other.test', '--url', 'http://other.test/', '--profile', 'https_web'], 1, /https:/],
    [['other.test', ...url, ...byWhom(), '--bundle', garbage], 2, /garbage\.json/],
  ]
  for (const [args, expected, reason] of refused) {
    const { code, out, err } = await asOperator('federation', 'set', ...args)
    assert.deepEqual([code, out], [expected, ''], `${args.join(' ')}: ${err}`)
    assert.match(err, reason)
    assert.doesNotMatch(err, /\n\s+at /)
  }
})

test('a relationship is deleted once', async () => {
  const deleted = await asOperator('federation', 'delete', 'partner.test')
  assert.deepEqual([deleted.code, deleted.out], [0, ''])
  assert.deepEqual(await itemsOf('federation', 'list'), [])
  for (const command of ['delete', 'show', 'refresh']) {
    const { code, err } = await asOperator('federation', command, 'partner.test')
    assert.equal(code, 1)
    assert.match(err, /^picket: there is no relationship with partner\.test/)
  }
})

test('the own bundle is shown as it is now, in the form that a partner wants', async () => {
  const { code, out } = await asOperator('bundle', 'show', '--format', 'spiffe')
  assert.equal(code, 0)
  const uses = (JSON.parse(out) as { keys: { use: string }[] }).keys.map(({ use }) => use)
  assert.deepEqual(uses.sort(), ['jwt-svid', 'x509-svid'])
  assert.match((await asOperator('bundle', 'show', '--format', 'pem')).out, /^-----BEGIN CERTIFICATE-----/)
  const nowhere = await picketHere('bundle', 'show', '--data-dir', join(scratch.path, 'nowhere'))
  assert.equal(nowhere.code, 1)
  assert.match(nowhere.err, /picket ca init/)
})
