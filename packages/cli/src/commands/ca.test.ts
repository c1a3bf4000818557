import assert from 'node:assert/strict'
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { encodeCertificatesPem, encodePrivateKeyPem } from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { generateSealKeyText } from '@picket/runtime'
import { createScratchFolder, picketHere, PicketProcess } from '../testing.ts'

const init = (dataDir: string, ...args: string[]) =>
  picketHere('ca', 'init', '--trust-domain', 'bank.test', '--data-dir', dataDir, ...args)

interface AuthorityItem {
  readonly trustDomain: string
  readonly keyAlgorithm: string
  readonly notAfter: string
}

async function show(dataDir: string): Promise<AuthorityItem[]> {
  const { code, out, err } = await picketHere('ca', 'show', '--data-dir', dataDir, '-o', 'json')
  assert.equal(code, 0, err)
  return (JSON.parse(out) as { items: AuthorityItem[] }).items
}

test('ca init makes an authority, keeps its keys private and says what is next', async () => {
  await using scratch = await createScratchFolder()
  const dataDir = join(scratch.path, 'data')
  const { code, out, err } = await init(dataDir)
  assert.equal(code, 0, err)
  assert.match(out, /^TRUST DOMAIN .*\nbank\.test +ec-p256 /)
  assert.match(err, /seal\.key: keep a copy[^]*Next: picket control-plane --data-dir/)
  for (const file of ['seal.key', 'ca/authorities.json']) {
    assert.equal((await stat(join(dataDir, file))).mode & 0o777, 0o600, file)
  }
  assert.equal((await stat(dataDir)).mode & 0o777, 0o700)
  assert.match(await readFile(join(dataDir, 'trust-bundle.pem'), 'utf8'), /BEGIN CERTIFICATE/)
  const [authority] = await show(dataDir)
  assert.deepEqual([authority!.trustDomain, authority!.keyAlgorithm], ['bank.test', 'ec-p256'])
})

test('lifetime and key algorithm are as asked', async () => {
  await using scratch = await createScratchFolder()
  assert.equal((await init(scratch.path, '--key-algorithm', 'ed25519', '--authority-ttl', '48h')).code, 0)
  const [authority] = await show(scratch.path)
  assert.equal(authority!.keyAlgorithm, 'ed25519')
  const leftMs = Date.parse(authority!.notAfter) - Date.now()
  assert.ok(leftMs > 47 * 3_600_000 && leftMs <= 48 * 3_600_000 + 60_000, String(leftMs))
})

test('an authority below one outside: the bundle is its root', async () => {
  await using scratch = await createScratchFolder()
  const root = createTestAuthority('bank.test', { algorithm: 'ec-p384' })
  const [certificate, key] = [join(scratch.path, 'root.pem'), join(scratch.path, 'root.key')]
  await writeFile(certificate, encodeCertificatesPem([root.certificate]))
  await writeFile(key, encodePrivateKeyPem(root.keyPair.privateKey), { mode: 0o600 })
  const dataDir = join(scratch.path, 'data')
  const some = ['--upstream-certificate', certificate, '--upstream-key', key]
  const { code, err } = await init(dataDir, ...some)
  assert.equal(code, 2)
  assert.match(err, /belong together/)
  assert.equal(
    (await init(dataDir, ...some, '--upstream-bundle', certificate, '--jwt-key-algorithm', 'ec-p384')).code,
    0,
  )
  const [authority] = await show(dataDir)
  assert.deepEqual([authority!.keyAlgorithm, authority!.notAfter], ['ec-p384', root.certificate.notAfter.toISOString()])
})

test('a sealing key that is named or in the environment is used, and none is written', async () => {
  await using scratch = await createScratchFolder()
  const keyFile = join(scratch.path, 'elsewhere.key')
  await writeFile(keyFile, generateSealKeyText(), { mode: 0o600 })
  const named = join(scratch.path, 'named')
  assert.equal((await init(named, '--seal-key-file', keyFile)).code, 0)
  assert.deepEqual((await readdir(named)).sort(), ['ca', 'trust-bundle.pem'])
  const environment = { PICKET_SEAL_KEY: generateSealKeyText().trim() }
  const given = join(scratch.path, 'given')
  const args = ['ca', 'init', '--trust-domain', 'bank.test', '--data-dir', given]
  assert.equal((await new PicketProcess(args, environment).finished).code, 0)
  assert.deepEqual((await readdir(given)).sort(), ['ca', 'trust-bundle.pem'])
  const both = await new PicketProcess([...args, '--seal-key-file', keyFile], environment).finished
  assert.equal(both.code, 2)
})

test('an authority is never replaced, and a failed attempt leaves no stray sealing key', async () => {
  await using scratch = await createScratchFolder()
  await init(scratch.path)
  const before = await readFile(join(scratch.path, 'ca/authorities.json'))
  await rm(join(scratch.path, 'seal.key'))
  const { code, err } = await init(scratch.path)
  assert.equal(code, 1)
  assert.match(err, /^picket: .*exists and is not overwritten/)
  assert.deepEqual(await readFile(join(scratch.path, 'ca/authorities.json')), before)
  assert.deepEqual((await readdir(scratch.path)).sort(), ['ca', 'trust-bundle.pem'])
})

test('what is asked wrongly makes nothing', async () => {
  await using scratch = await createScratchFolder()
  const dataDir = join(scratch.path, 'data')
  for (const args of [
    ['--key-algorithm', 'rsa'],
    ['--jwt-key-algorithm', 'ed25519'],
    ['--authority-ttl', 'forever'],
    ['--trust-domain', 'Bank_Test!'],
  ]) {
    const { code, err } = await init(dataDir, ...args)
    assert.equal(code, 2, err)
    assert.match(err, new RegExp(`^picket: ${args[0]}: `))
  }
  assert.equal((await picketHere('ca', 'init', '--data-dir', dataDir)).code, 2)
  assert.deepEqual(await readdir(scratch.path), [])
})

test('where there is no authority, ca show says how to make one', async () => {
  await using scratch = await createScratchFolder()
  const { code, err } = await picketHere('ca', 'show', '--data-dir', scratch.path)
  assert.equal(code, 1)
  assert.match(err, /there is no authority in .*picket ca init --trust-domain NAME --data-dir/)
})
