import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  createBundleSource,
  createCsr,
  encodeCertificatesPem,
  encodePrivateKeyPem,
  generateKeyPair,
  parseCsr,
  parseSpiffeId,
  verifyX509Svid,
} from '@picket/identity'
import { createTestAuthority, type TestAuthority } from '@picket/identity/testing'
import { generateSealKeyText, parseSealKey, systemRandom, writeSealedFile } from '@picket/runtime'
import { FakeClock } from '@picket/runtime/testing'
import { openAuthority } from './open-authority.ts'
import { inTestFolder, testSealKey as sealKey } from './testing.ts'

const DAY_MS = 86_400_000
const id = parseSpiffeId('spiffe://bank.test/payments')
const clock = new FakeClock()
const deps = { clock, random: systemRandom }

/** A folder as the version before two slots left it, with an authority of ten years. */
const withLegacy = (body: (directory: string, legacy: TestAuthority) => Promise<void>): Promise<void> =>
  inTestFolder(async (folder) => {
    const directory = join(folder, 'ca')
    const notAfter = new Date(clock.now() + 3650 * DAY_MS)
    const legacy = createTestAuthority('bank.test', { clock, notAfter })
    await mkdir(directory)
    await writeFile(join(directory, 'issuance-journal.ndjson'), '{"serialNumber":"01"}\n')
    await writeFile(join(directory, 'authority.pem'), encodeCertificatesPem([legacy.certificate]))
    const key = Buffer.from(encodePrivateKeyPem(legacy.keyPair.privateKey))
    await writeSealedFile(join(directory, 'authority.key.sealed'), key, 'x509-authority-key', sealKey)
    await body(directory, legacy)
  })

test('an authority of the version before goes on with its key, its end and its journal', () =>
  withLegacy(async (directory, legacy) => {
    await using authority = await openAuthority(directory, { sealKey }, deps)
    const [own, tokens] = authority.authorities.value
    assert.equal(own!.certificate!.fingerprintSha256, legacy.certificate.fingerprintSha256)
    assert.deepEqual([own!.notAfter, tokens!.kind], [legacy.certificate.notAfter, 'jwt'])
    const csr = parseCsr(createCsr(generateKeyPair(), id))
    const chain = await authority.issue({ csr, id, ttlMs: 3_600_000, caller: 'test' })
    assert.equal(verifyX509Svid(chain, legacy.bundles, new Date(clock.now())).kind, 'verified')
    const before = legacy.issueSvid('/payments').chain
    const bundles = createBundleSource([authority.bundle.value])
    assert.equal(verifyX509Svid(before, bundles, new Date(clock.now())).kind, 'verified')
    assert.match(await readFile(join(directory, 'issuance-journal.ndjson'), 'utf8'), /^\{"serialNumber":"01"\}\n\{/)
    assert.ok((await readdir(directory)).every((name) => !name.startsWith('authority.')))
  }))

test('its successor lives for 30 days', () =>
  withLegacy(async (directory) => {
    await using authority = await openAuthority(directory, { sealKey }, deps)
    const { notAfter } = await authority.prepare('x509')
    assert.equal(notAfter.getTime(), clock.now() + 30 * DAY_MS)
  }))

const REFUSED: readonly (readonly [string, object, (directory: string) => Promise<void>])[] = [
  [
    'its key is damaged',
    { code: 'ERR_SEALED_FILE', message: /authority\.key\.sealed/ },
    (directory) => writeFile(join(directory, 'authority.key.sealed'), 'x'),
  ],
  [
    'its key is missing',
    { code: 'ERR_AUTHORITY_FILES', message: /key is missing/ },
    (directory) => rm(join(directory, 'authority.key.sealed')),
  ],
  [
    'its certificate is damaged',
    { code: 'ERR_AUTHORITY_FILES', message: /authority\.pem/ },
    (directory) => writeFile(join(directory, 'authority.pem'), 'x'),
  ],
  [
    'its certificate is that of another',
    { code: 'ERR_AUTHORITY_FILES', message: /is not that of/ },
    (directory) =>
      writeFile(
        join(directory, 'authority.pem'),
        encodeCertificatesPem([createTestAuthority('bank.test').certificate]),
      ),
  ],
  [
    'its certificate is no authority’s',
    { code: 'ERR_AUTHORITY_FILES', message: /authority\.pem/ },
    (directory) =>
      writeFile(
        join(directory, 'authority.pem'),
        encodeCertificatesPem(createTestAuthority('bank.test').issueSvid('/a').chain),
      ),
  ],
]

for (const [what, expected, damage] of REFUSED) {
  test(`is not taken over, and nothing is touched, when ${what}`, () =>
    withLegacy(async (directory) => {
      await damage(directory)
      const before = (await readdir(directory)).sort()
      await assert.rejects(openAuthority(directory, { sealKey }, deps), expected)
      assert.deepEqual((await readdir(directory)).sort(), before)
    }))
}

test('is not taken over with a wrong sealing key', () =>
  withLegacy(async (directory) => {
    const wrong = parseSealKey(generateSealKeyText())
    await assert.rejects(openAuthority(directory, { sealKey: wrong }, deps), { code: 'ERR_SEALED_FILE' })
    assert.equal((await readdir(directory)).length, 3)
  }))
