import assert from 'node:assert/strict'
import { copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseTrustDomain } from '@picket/identity'
import { generateSealKeyText, parseSealKey, systemRandom } from '@picket/runtime'
import { FakeClock } from '@picket/runtime/testing'
import { initAuthority, openAuthority } from './open-authority.ts'
import { createTestCa, inTestFolder, testSealKey } from './testing.ts'

const clock = new FakeClock()
const deps = { clock, random: systemRandom }

const pathOf = async (directory: string, pattern: RegExp): Promise<string> =>
  join(
    directory,
    (await readdir(directory)).find((name) => pattern.test(name))!,
  )
const keyOf = (directory: string): Promise<string> => pathOf(directory, /^x509-[0-9a-f]{40}\.key\.sealed$/)
const certificateOf = (directory: string): Promise<string> => pathOf(directory, /^x509-[0-9a-f]{40}\.pem$/)

const withFiles = (body: (directory: string) => Promise<void>): Promise<void> =>
  inTestFolder(async (folder) => {
    const directory = join(folder, 'data', 'ca')
    await (await createTestCa(directory, 'bank.test', clock))[Symbol.asyncDispose]()
    await body(directory)
  })

/** Every file with its bytes and its instant of change, to see that nothing was touched. */
async function snapshot(directory: string): Promise<unknown> {
  const names = (await readdir(directory)).sort()
  return Promise.all(
    names.map(async (name) => {
      const path = join(directory, name)
      const { mtimeMs, mode } = await stat(path)
      return [name, mtimeMs, mode, (await readFile(path)).toString('hex')]
    }),
  )
}

async function refusesToOpen(directory: string, expected: object, sealKey = testSealKey): Promise<void> {
  const before = await snapshot(directory)
  await assert.rejects(openAuthority(directory, { sealKey }, deps), expected)
  assert.deepEqual(await snapshot(directory), before)
}

test('new authorities are eight files, the keys sealed and private', () =>
  withFiles(async (directory) => {
    const modes = await Promise.all(
      (await readdir(directory))
        .sort()
        .map(async (name) => [name.replace(/[0-9a-f]{40}/, 'KEY'), (await stat(join(directory, name))).mode & 0o777]),
    )
    assert.deepEqual(Object.fromEntries(modes), {
      'authorities.json': 0o600,
      'issuance-journal.ndjson': 0o600,
      'jwt-KEY.key.sealed': 0o600,
      'jwt-KEY.pem': 0o644,
      'trust-bundle.json': 0o644,
      'trust-bundle.pem': 0o644,
      'x509-KEY.key.sealed': 0o600,
      'x509-KEY.pem': 0o644,
    })
    assert.equal((await stat(directory)).mode & 0o777, 0o700)
    for (const kind of ['x509', 'jwt']) {
      const sealed = await readFile(await pathOf(directory, new RegExp(`^${kind}-.*sealed$`)))
      assert.equal(sealed.includes('PRIVATE KEY'), false)
      assert.equal(sealed.subarray(0, 15).toString(), 'picket-sealed-1')
    }
  }))

test('refuses to make an authority where there is one, and touches nothing', () =>
  withFiles(async (directory) => {
    const before = await snapshot(directory)
    await assert.rejects(createTestCa(directory, 'bank.test', clock), { code: 'ERR_AUTHORITY_EXISTS' })
    assert.deepEqual(await snapshot(directory), before)
  }))

const ANY_KEY = 'ab'.repeat(20)
for (const left of [
  `x509-${ANY_KEY}.key.sealed`,
  `jwt-${ANY_KEY}.pem`,
  'authorities.json',
  'authority.key.sealed',
  'authority.pem',
  'trust-bundle.pem',
  'trust-bundle.json',
  'issuance-journal.ndjson',
]) {
  test(`refuses to make an authority where only ${left} is left of one`, () =>
    inTestFolder(async (folder) => {
      await writeFile(join(folder, left), 'precious')
      const before = await snapshot(folder)
      await assert.rejects(createTestCa(folder, 'bank.test', clock), {
        code: 'ERR_AUTHORITY_EXISTS',
        message: new RegExp(left.replaceAll('.', '\\.')),
      })
      assert.deepEqual(await snapshot(folder), before)
    }))
}

test('of several that make an authority at once one succeeds, and what it made is whole', () =>
  inTestFolder(async (folder) => {
    const directory = join(folder, 'ca')
    const attempts = await Promise.allSettled(
      Array.from({ length: 4 }, () => createTestCa(directory, 'bank.test', clock)),
    )
    const made = attempts.filter((attempt) => attempt.status === 'fulfilled')
    assert.equal(made.length, 1)
    for (const attempt of attempts) {
      if (attempt.status === 'rejected') assert.equal((attempt.reason as { code: string }).code, 'ERR_AUTHORITY_EXISTS')
    }
    await made[0]!.value[Symbol.asyncDispose]()
    await using again = await openAuthority(directory, { sealKey: testSealKey }, deps)
    assert.deepEqual(again.authorities.value, made[0]!.value.authorities.value)
  }))

test('says how to make an authority where there is none', () =>
  inTestFolder((folder) => refusesToOpen(folder, { code: 'ERR_AUTHORITY_MISSING', message: /picket ca init/ })))

test('a wrong sealing key is a clear error that changes nothing', () =>
  withFiles((directory) =>
    refusesToOpen(
      directory,
      { code: 'ERR_SEALED_FILE', message: /x509-[0-9a-f]{40}\.key\.sealed: .*wrong sealing key/ },
      parseSealKey(generateSealKeyText()),
    ),
  ))

const alter = (bytes: Buffer, at: number): Buffer => {
  const altered = Buffer.from(bytes)
  altered[at < 0 ? altered.length + at : at]! ^= 1
  return altered
}

const DAMAGED_KEYS: readonly (readonly [string, (sealed: Buffer) => Buffer])[] = [
  ['altered at its end', (sealed) => alter(sealed, -1)],
  ['altered in its nonce', (sealed) => alter(sealed, 16)],
  ['altered in its tag', (sealed) => alter(sealed, 30)],
  ['with another beginning', (sealed) => alter(sealed, 0)],
  ['cut off at its end', (sealed) => sealed.subarray(0, -1)],
  ['cut off in its tag', (sealed) => sealed.subarray(0, 35)],
  ['emptied', () => Buffer.alloc(0)],
  ['with a byte too many', (sealed) => Buffer.concat([sealed, Buffer.of(0)])],
]

for (const [what, damage] of DAMAGED_KEYS) {
  test(`a sealed key ${what} is a clear error that changes nothing`, () =>
    withFiles(async (directory) => {
      const path = await keyOf(directory)
      await writeFile(path, damage(await readFile(path)))
      await refusesToOpen(directory, { code: 'ERR_SEALED_FILE', message: /x509-[0-9a-f]{40}\.key\.sealed: / })
    }))
}

test('a missing key is a clear error', () =>
  withFiles(async (directory) => {
    await rm(await keyOf(directory))
    await refusesToOpen(directory, { code: 'ERR_AUTHORITY_FILES', message: /key is missing/ })
  }))

test('every octet of the certificate counts: altered, it does not open', () =>
  withFiles(async (directory) => {
    const path = await certificateOf(directory)
    const pem = await readFile(path)
    for (let at = 30; at < pem.length - 30; at += 41) {
      await writeFile(path, alter(pem, at))
      await refusesToOpen(directory, { code: 'ERR_AUTHORITY_FILES', message: /x509-[0-9a-f]{40}\.pem/ })
    }
  }))

const DAMAGED_CERTIFICATES: readonly (readonly [string, (pem: string) => string])[] = [
  ['emptied', () => ''],
  ['cut off', (pem) => pem.slice(0, -30)],
  ['doubled', (pem) => pem + pem],
]

for (const [what, damage] of DAMAGED_CERTIFICATES) {
  test(`a certificate file ${what} is a clear error that changes nothing`, () =>
    withFiles(async (directory) => {
      const path = await certificateOf(directory)
      await writeFile(path, damage(await readFile(path, 'utf8')))
      await refusesToOpen(directory, { code: 'ERR_AUTHORITY_FILES', message: /x509-[0-9a-f]{40}\.pem/ })
    }))
}

test('the key of one authority with the certificate of another is refused', () =>
  withFiles((one) =>
    withFiles(async (two) => {
      await copyFile(await certificateOf(one), await certificateOf(two))
      await refusesToOpen(two, { code: 'ERR_AUTHORITY_FILES', message: /is not the certificate of that authority/ })
    }),
  ))

test('a file in the place of the folder is an error', () =>
  inTestFolder(async (folder) => {
    await mkdir(join(folder, 'data'))
    await writeFile(join(folder, 'data', 'ca'), 'precious')
    const options = { trustDomain: parseTrustDomain('bank.test'), sealKey: testSealKey }
    await assert.rejects(initAuthority(join(folder, 'data', 'ca'), options, deps), { code: 'EEXIST' })
    assert.equal(await readFile(join(folder, 'data', 'ca'), 'utf8'), 'precious')
  }))
