import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodePrivateKeyPem } from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { createMetrics, generateSealKeyText, parseSealKey, silentLogger, type SealKey } from '@picket/runtime'
import { createRecordingLogger, FakeClock } from '@picket/runtime/testing'
import { decodeLastGood, encodeLastGood } from './last-good-codec.ts'
import type { LastGood } from './last-good-codec.ts'
import { createLastGoodFile, type LastGoodFile } from './last-good.ts'
import { openStateDir } from './seal-key.ts'

const authority = createTestAuthority('bank.test')
const state: LastGood = {
  trustDomain: 'bank.test',
  pin: 'ab'.repeat(32),
  svids: [authority.issueSvid('/payments'), authority.issueSvid('/ledger')],
  resources: {
    'policy-bundle': { revision: 'r1', bytes: Buffer.from([0, 255, 31, 139]) },
    endpoints: { revision: 'e7', bytes: Buffer.from('{"services":[]}') },
  },
}

async function setUp() {
  const dir = await mkdtemp(join(tmpdir(), 'picket-last-good-'))
  const logger = createRecordingLogger()
  const clock = new FakeClock()
  const deps = { clock, logger, metrics: createMetrics() }
  const key = parseSealKey(generateSealKeyText())
  const open = (sealKey: SealKey = key, trustDomain = authority.trustDomain): LastGoodFile =>
    createLastGoodFile(deps, { dir, key: sealKey, trustDomain })
  const path = join(dir, 'last-good.sealed')
  return { ...deps, dir, path, open, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) }
}

test('comes back as it was saved', async () => {
  await using t = await setUp()
  {
    await using file = t.open()
    assert.equal(await file.load(), undefined)
    file.save(() => state)
  }
  const loaded = await t.open().load()
  const ders = (one: LastGood | undefined) => one?.svids.map(({ chain }) => chain[0]?.der)
  assert.deepEqual(ders(loaded), ders(state))
  assert.deepEqual(loaded?.resources, state.resources)
  assert.deepEqual([loaded?.trustDomain, loaded?.pin], [state.trustDomain, state.pin])
  assert.equal((await stat(t.path)).mode & 0o777, 0o600)
})

test('the private key is not readable in the file', async () => {
  await using t = await setUp()
  {
    await using file = t.open()
    file.save(() => state)
  }
  const bytes = await readFile(t.path)
  assert.ok(!bytes.includes('PRIVATE KEY'))
  assert.ok(!bytes.includes('spiffe'))
})

test('saves that come during a write make one further write, of the newest state', async () => {
  await using t = await setUp()
  let asked = 0
  {
    await using file = t.open()
    for (let revision = 1; revision <= 50; revision++) {
      file.save(() => {
        asked += 1
        return { ...state, resources: { endpoints: { revision: `e${revision}`, bytes: Buffer.alloc(0) } } }
      })
    }
  }
  assert.equal(asked, 2)
  assert.equal((await t.open().load())?.resources.endpoints?.revision, 'e50')
})

for (const [what, damage] of [
  ['altered', (bytes: Buffer) => bytes.fill(0x41, 60, 61)],
  ['cut short', (bytes: Buffer) => bytes.subarray(0, 40)],
  ['empty', () => Buffer.alloc(0)],
] as const) {
  test(`a file that is ${what} is warned of, and set aside once there is something good`, async () => {
    await using t = await setUp()
    {
      await using file = t.open()
      file.save(() => state)
    }
    const damaged = damage(await readFile(t.path))
    await writeFile(t.path, damaged)
    await using file = t.open()
    assert.equal(await file.load(), undefined)
    assert.equal(t.logger.entries[0]?.level, 'warn')
    assert.deepEqual(await readFile(t.path), damaged)
    file.save(() => state)
    await file[Symbol.asyncDispose]()
    const aside = (await readdir(t.dir)).find((name) => name.includes('.unreadable-'))
    assert.deepEqual(await readFile(join(t.dir, aside ?? '')), damaged)
    assert.ok(await t.open().load())
  })
}

test('another sealing key opens nothing and destroys nothing', async () => {
  await using t = await setUp()
  {
    await using file = t.open()
    file.save(() => state)
  }
  const before = await readFile(t.path)
  assert.equal(await t.open(parseSealKey(generateSealKeyText())).load(), undefined)
  assert.deepEqual(await readFile(t.path), before)
  assert.ok(await t.open().load())
})

test('the state of another trust domain is not taken', async () => {
  await using t = await setUp()
  {
    await using file = t.open()
    file.save(() => state)
  }
  assert.equal(await t.open(undefined, createTestAuthority('shop.test').trustDomain).load(), undefined)
  assert.match(String(t.logger.entries[0]?.fields['error']), /belongs to trust domain bank\.test/)
})

test('a write that fails is logged and tried again', async () => {
  await using t = await setUp()
  const file = t.open()
  await rm(t.dir, { recursive: true })
  file.save(() => state)
  while (t.clock.pendingMs.length === 0) await new Promise(setImmediate)
  assert.equal(t.logger.entries[0]?.message, 'the last good state could not be written')
  assert.deepEqual(t.clock.pendingMs, [30_000])
  await openStateDir({ dir: t.dir, sealKey: undefined, sealKeyFile: undefined }, silentLogger)
  await t.clock.advance(30_000)
  await file[Symbol.asyncDispose]()
  assert.ok(await t.open().load())
})

const REFUSED_STATES: readonly [string, string][] = [
  ['not JSON', 'PRIVATE KEY'],
  ['a list', '[]'],
  ['another format', '{"format":2}'],
  ['no trust domain', '{"format":1,"pin":"","resources":{}}'],
  ['no resources', '{"format":1,"trustDomain":"bank.test","pin":""}'],
  ['a resource without content', '{"format":1,"trustDomain":"a","pin":"","resources":{"endpoints":{"revision":"1"}}}'],
  ['an svid that is none', '{"format":1,"trustDomain":"a","pin":"","resources":{},"svid":{"chain":"x","key":"y"}}'],
]

for (const [what, text] of REFUSED_STATES) {
  test(`refuses ${what}, without quoting it`, () => {
    assert.throws(
      () => decodeLastGood(Buffer.from(text)),
      (thrown: Error & { code: string }) => {
        return thrown.code === 'ERR_LAST_GOOD' && !thrown.message.includes('PRIVATE KEY')
      },
    )
  })
}

test('any bytes are decoded or refused, and what is encoded decodes', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.json().map((json) => Buffer.from(json)),
      ),
      (bytes) => {
        assert.throws(() => decodeLastGood(bytes), { code: 'ERR_LAST_GOOD' })
      },
    ),
  )
  fc.assert(
    fc.property(fc.string(), fc.uint8Array(), (revision, bytes) => {
      const resources = { 'trust-bundle': { revision, bytes: Buffer.from(bytes) } }
      assert.deepEqual(decodeLastGood(encodeLastGood({ ...state, svids: [], resources })).resources, resources)
    }),
  )
})

test('the default sealing key is made once, for its owner alone', async () => {
  await using t = await setUp()
  const dir = join(t.dir, 'state')
  const config = { dir, sealKey: undefined, sealKeyFile: undefined }
  const first = await openStateDir(config, t.logger)
  const second = await openStateDir(config, t.logger)
  assert.deepEqual(first.reveal(), second.reveal())
  assert.equal((await stat(dir)).mode & 0o777, 0o700)
  assert.equal((await stat(join(dir, 'seal.key'))).mode & 0o777, 0o600)
  assert.deepEqual(t.logger.entries, [])
})

test('a sealing key file that was named must be there, hold a key, and should be private', async () => {
  await using t = await setUp()
  const sealKeyFile = join(t.dir, 'key')
  const open = (): Promise<SealKey> => openStateDir({ dir: t.dir, sealKey: undefined, sealKeyFile }, t.logger)
  await assert.rejects(open, { code: 'ERR_SEAL_KEY_FILE', message: /ENOENT/ })
  await writeFile(sealKeyFile, 'short')
  await assert.rejects(open, { code: 'ERR_SEAL_KEY_FILE', message: /32 bytes/ })
  await writeFile(sealKeyFile, generateSealKeyText(), { mode: 0o644 })
  await open()
  assert.equal(t.logger.entries[0]?.message, 'other users of the machine may read this path')
})

test('the encoded state is what gets sealed: it holds the key', () => {
  const pem = encodePrivateKeyPem(state.svids[0]!.privateKey)
  assert.equal(JSON.parse(encodeLastGood(state).toString()).svids[0].key, pem)
})

test('the state of the version before, which knew one svid, is still read', () => {
  const { svids, ...rest } = JSON.parse(encodeLastGood(state).toString())
  const before = decodeLastGood(Buffer.from(JSON.stringify({ ...rest, format: 1, svid: svids[0] })))
  assert.deepEqual(
    before.svids.map(({ id }) => id.uri),
    ['spiffe://bank.test/payments'],
  )
  const none = decodeLastGood(Buffer.from(JSON.stringify({ ...rest, format: 1 })))
  assert.deepEqual(none.svids, [])
})

test('a format that is not known is refused, also a later one', () => {
  for (const format of [0, 3, '2', null]) {
    const bytes = Buffer.from(JSON.stringify({ ...JSON.parse(encodeLastGood(state).toString()), format }))
    assert.throws(() => decodeLastGood(bytes), { code: 'ERR_LAST_GOOD' })
  }
})
