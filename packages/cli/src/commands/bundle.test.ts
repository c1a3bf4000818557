import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import {
  encodeBundleMap,
  encodeJwtBundle,
  encodeOidcKeys,
  encodeTrustBundle,
  encodeTrustBundlePem,
  generateKeyPair,
  toJwtAuthority,
} from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { createScratchFolder, picketHere, type ScratchFolder } from '../testing.ts'

const jwtAuthorities = [toJwtAuthority('k1', generateKeyPair('ec-p384').publicKey)]
const bank = { ...createTestAuthority('bank.test').bundle, jwtAuthorities, sequence: 2n ** 60n + 1n }
const partner = createTestAuthority('partner.test').bundle
let scratch: ScratchFolder
let single: string
let map: string

before(async () => {
  scratch = await createScratchFolder()
  single = join(scratch.path, 'bundle.json')
  map = join(scratch.path, 'map.json')
  await writeFile(single, encodeTrustBundle(bank))
  await writeFile(map, encodeBundleMap([bank, partner]))
})
after(() => scratch[Symbol.asyncDispose]())

test('the authorities of every kind are listed, the sequence exact', async () => {
  const { code, out } = await picketHere('bundle', 'show', single, '-o', 'json')
  assert.equal(code, 0)
  const { items } = JSON.parse(out) as { items: Record<string, unknown>[] }
  assert.deepEqual(
    items.map((item) => [item['kind'], item['keyAlgorithm'], item['bundleSequence']]),
    [
      ['x509', 'ec-p256', '1152921504606846977'],
      ['jwt', 'ec-p384', '1152921504606846977'],
    ],
  )
  assert.match((await picketHere('bundle', 'show', map)).out, /\npartner\.test +x509 +/)
})

const FORMS = [
  ['pem', encodeTrustBundlePem(bank)],
  ['spiffe', encodeTrustBundle(bank)],
  ['jwt', encodeJwtBundle(bank)],
  ['oidc', encodeOidcKeys(bank)],
  ['map', encodeBundleMap([bank])],
] as const

for (const [format, expected] of FORMS) {
  test(`one bundle of a map is written as ${format}`, async () => {
    const args = ['--trust-domain', 'bank.test', '--format', format]
    const { code, out } = await picketHere('bundle', 'show', map, ...args)
    assert.deepEqual([code, out], [0, expected])
  })
}

test('several bundles do not fit one document of one bundle', async () => {
  const { code, err } = await picketHere('bundle', 'show', map, '--format', 'pem')
  assert.equal(code, 2)
  assert.match(err, /several bundles: choose with --trust-domain/)
})
