import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import {
  encodeBundleMap,
  encodeCertificatesPem,
  encodeJwtBundle,
  encodeTrustBundle,
  encodeTrustBundlePem,
  generateKeyPair,
  parseTrustDomain,
  toJwtAuthority,
} from '@picket/identity'
import { createTestAuthority } from '@picket/identity/testing'
import { loadBundleFile } from './bundle-file.ts'
import { createScratchFolder, type ScratchFolder } from './testing.ts'

const bank = {
  ...createTestAuthority('bank.test').bundle,
  jwtAuthorities: [toJwtAuthority('k', generateKeyPair().publicKey)],
}
const partner = createTestAuthority('partner.test').bundle
let scratch: ScratchFolder

before(async () => void (scratch = await createScratchFolder()))
after(() => scratch[Symbol.asyncDispose]())

async function load(text: string | Buffer, trustDomain?: string): Promise<string[]> {
  const file = join(scratch.path, 'bundle')
  await writeFile(file, text)
  const { bundles, source } = await loadBundleFile(
    file,
    trustDomain === undefined ? undefined : parseTrustDomain(trustDomain),
  )
  return bundles.map((bundle) => {
    assert.equal(source.bundleFor(bundle.trustDomain), bundle)
    return `${bundle.trustDomain.name} ${bundle.x509Authorities.length} ${bundle.jwtAuthorities.length}`
  })
}

const READ: readonly (readonly [string, string, string | undefined, string[]])[] = [
  ['PEM, named by its authority', encodeTrustBundlePem(bank), undefined, ['bank.test 1 0']],
  ['PEM under the name that is given', encodeTrustBundlePem(bank), 'other.test', ['other.test 1 0']],
  ['a SPIFFE bundle, named by its authority', encodeTrustBundle(bank), undefined, ['bank.test 1 1']],
  ['JWT keys under the name that is given', encodeJwtBundle(bank), 'bank.test', ['bank.test 0 1']],
  ['all bundles of a map', encodeBundleMap([bank, partner]), undefined, ['bank.test 1 1', 'partner.test 1 0']],
  ['one bundle of a map', encodeBundleMap([bank, partner]), 'partner.test', ['partner.test 1 0']],
]

for (const [what, text, trustDomain, expected] of READ) {
  test(`reads ${what}`, async () => assert.deepEqual(await load(text, trustDomain), expected))
}

const mixed = encodeCertificatesPem([...bank.x509Authorities, ...partner.x509Authorities])
const REFUSED: readonly (readonly [string, string | Buffer, RegExp, string?])[] = [
  ['authorities of two trust domains', mixed, /do not all name the same one.*--trust-domain/],
  ['JWT keys without a name', encodeJwtBundle(bank), /holds no certificate.*--trust-domain/],
  ['a map without the one that is wanted', encodeBundleMap([bank]), /no bundle of partner\.test/, 'partner.test'],
  ['nothing', '', /no CERTIFICATE block/],
  ['text that is neither', 'hello', /no CERTIFICATE block/],
  ['JSON with a member that is there twice', '{"keys": [], "keys": []}', /there twice/, 'bank.test'],
  ['a map with a name that is there twice', '{"trust_domains": {"a": {"keys": []}, "a": {"keys": []}}}', /there twice/],
  ['a list', '[]', /no "keys" array/],
  ['more than 4 MiB', Buffer.alloc(4 * 1024 * 1024 + 1, ' '), /longer than/],
]

for (const [what, text, message, trustDomain] of REFUSED) {
  test(`refuses ${what} as wrong usage`, async () => {
    await assert.rejects(load(text, trustDomain), { code: 'ERR_USAGE', message })
  })
}

test('a file that is not there is wrong usage, named once', async () => {
  const message = /^the trust bundle cannot be read: there is no such file or folder \(ENOENT\): \/no\/such$/
  await assert.rejects(loadBundleFile('/no/such', undefined), { code: 'ERR_USAGE', message })
})

test('keys that are passed over are counted by their reason', async () => {
  const file = join(scratch.path, 'skipped.json')
  const entry = '{"use": "jwt-svid", "kty": "EC"}'
  await writeFile(file, `{"keys": [${entry}, ${entry}]}`)
  const { warnings } = await loadBundleFile(file, parseTrustDomain('bank.test'))
  assert.deepEqual(warnings, [`${file}: keys passed over (jwt-no-key-id): 2`])
})
