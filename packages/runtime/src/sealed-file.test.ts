import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  deriveSealKey,
  generateSealKeyText,
  parseSealKey,
  readSealedFile,
  seal,
  unseal,
  writeSealedFile,
} from './sealed-file.ts'

const KEY = parseSealKey('00'.repeat(32))
const PLAIN = Buffer.from('the authority key')

test('what was sealed opens with the same key and purpose', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.string(), (bytes, purpose) => {
      assert.deepEqual(unseal(seal(bytes, purpose, KEY), purpose, KEY), Buffer.from(bytes))
    }),
  )
})

test('the same bytes are never sealed to the same file twice', () => {
  assert.notDeepEqual(seal(PLAIN, 'test', KEY), seal(PLAIN, 'test', KEY))
})

const other = parseSealKey(generateSealKeyText())
const sealed = seal(PLAIN, 'authority', KEY)
const REFUSED = [
  ['another purpose', sealed, 'state', KEY],
  ['another key', sealed, 'authority', other],
  ['a truncated file', sealed.subarray(0, -1), 'authority', KEY],
  ['only the head', sealed.subarray(0, 20), 'authority', KEY],
  ['an appended byte', Buffer.concat([sealed, Buffer.of(0)]), 'authority', KEY],
  ['bytes that were never sealed', Buffer.from('-----BEGIN PRIVATE KEY-----'.repeat(4)), 'authority', KEY],
  ['an empty file', Buffer.alloc(0), 'authority', KEY],
] as const

for (const [what, bytes, purpose, key] of REFUSED) {
  test(`refuses ${what}`, () => assert.throws(() => unseal(bytes, purpose, key), { code: 'ERR_SEALED_FILE' }))
}

test('refuses a file with any single bit changed', () => {
  fc.assert(
    fc.property(fc.nat(sealed.length - 1), fc.nat(7), (at, bit) => {
      const altered = Buffer.from(sealed)
      altered[at]! ^= 1 << bit
      assert.throws(() => unseal(altered, 'authority', KEY), { code: 'ERR_SEALED_FILE' })
    }),
  )
})

test('a sealing key is 32 bytes in hex or base64, whatever is around it', () => {
  const bytes = Buffer.from(Array.from({ length: 32 }, (_, index) => index))
  for (const text of [
    bytes.toString('hex'),
    `${bytes.toString('hex').toUpperCase()}\n`,
    ` ${bytes.toString('base64')} `,
  ]) {
    assert.deepEqual(parseSealKey(text).reveal(), bytes)
  }
})

for (const text of ['', 'short', 'zz'.repeat(32), '00'.repeat(31), '00'.repeat(33), 'A'.repeat(44)]) {
  test(`refuses the sealing key ${JSON.stringify(text.slice(0, 8))} of length ${text.length} without repeating it`, () => {
    assert.throws(
      () => parseSealKey(text),
      (thrown: Error & { code: string }) => {
        assert.equal(thrown.code, 'ERR_SEAL_KEY')
        return text === '' || !thrown.message.includes(text)
      },
    )
  })
}

test('keys derived for different purposes differ, for the same purpose agree', () => {
  const secret = Buffer.from('material')
  const derived = deriveSealKey(secret, 'state').reveal()
  assert.equal(derived.length, 32)
  assert.deepEqual(deriveSealKey(secret, 'state').reveal(), derived)
  assert.notDeepEqual(deriveSealKey(secret, 'other').reveal(), derived)
  assert.notDeepEqual(deriveSealKey(Buffer.from('Material'), 'state').reveal(), derived)
})

test('a sealed file is private, holds no plain text and names itself when it does not open', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'picket-sealed-'))
  try {
    const path = join(folder, 'authority.key.sealed')
    await writeSealedFile(path, PLAIN, 'authority', KEY)
    assert.equal((await stat(path)).mode & 0o777, 0o600)
    assert.equal((await readFile(path)).includes(PLAIN), false)
    assert.deepEqual(await readSealedFile(path, 'authority', KEY), PLAIN)
    await assert.rejects(readSealedFile(path, 'authority', other), (thrown: Error & { code: string }) => {
      assert.equal(thrown.code, 'ERR_SEALED_FILE')
      return thrown.message.startsWith(`${path}: `)
    })
    await assert.rejects(readSealedFile(join(folder, 'absent'), 'authority', KEY), { code: 'ENOENT' })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
