import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { writeFileAtomic } from './atomic-file.ts'

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'picket-atomic-'))
  try {
    await body(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

test('creates and replaces a file and leaves nothing beside it', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'state')
    await writeFileAtomic(path, 'one')
    await writeFileAtomic(path, Buffer.from('two'))
    assert.equal(await readFile(path, 'utf8'), 'two')
    assert.deepEqual(await readdir(folder), ['state'])
  }))

test('gives a private file its mode even when it replaces a public one', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'key.pem')
    await writeFile(path, 'public', { mode: 0o644 })
    await writeFileAtomic(path, 'private', 0o600)
    assert.equal((await stat(path)).mode & 0o777, 0o600)
  }))

test('keeps the old bytes and cleans up when the write cannot finish', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'taken')
    await writeFileAtomic(join(folder, 'other'), 'x')
    await assert.rejects(writeFileAtomic(join(folder, 'missing', 'state'), 'x'), { code: 'ENOENT' })
    await mkdir(join(path, 'child'), { recursive: true })
    await assert.rejects(writeFileAtomic(path, 'a file cannot replace a folder'))
    assert.deepEqual((await readdir(folder)).sort(), ['other', 'taken'])
  }))

test('writers at the same time never mix: the file is one of the versions, whole', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'state')
    const versions = Array.from({ length: 8 }, (_, index) => String(index).repeat(200_000))
    await Promise.all(versions.map((version) => writeFileAtomic(path, version)))
    assert.ok(versions.includes(await readFile(path, 'utf8')))
    assert.deepEqual(await readdir(folder), ['state'])
  }))
