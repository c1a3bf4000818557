import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { digestSources, readSources } from './sources.ts'

async function withFolder(
  files: Readonly<Record<string, string>>,
  body: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'picket-sources-'))
  try {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true })
      await writeFile(join(folder, name), text)
    }
    await body(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

test('a policy is its Rego, its data and its schema, and nothing that lies beside them', async () => {
  const files = {
    'b.rego': 'package b',
    'a/a.rego': 'package a',
    'a/data.json': '{}',
    'input.schema.json': '{}',
    'a_test.rego': 'package a_test',
    'README.md': '',
    'other.json': '{}',
    'a/input.schema.json': '{}',
    'authz.bundle.tar.gz': '',
    '.git/x.rego': 'package x',
    '.hidden.rego': 'package x',
    'examples/x.rego': 'package x',
    'node_modules/x.rego': 'package x',
  }
  await withFolder(files, async (folder) => {
    assert.deepEqual(
      [...(await readSources(folder)).keys()],
      ['a/a.rego', 'a/data.json', 'b.rego', 'input.schema.json'],
    )
  })
})

test('links to files count as files, as Kubernetes mounts them', async () => {
  await withFolder({ '..data/a.rego': 'package a' }, async (folder) => {
    await symlink(join('..data', 'a.rego'), join(folder, 'a.rego'))
    assert.deepEqual([...(await readSources(folder)).keys()], ['a.rego'])
  })
})

test('the digest changes with every name and every byte, and with nothing else', () => {
  const digest = (...files: readonly (readonly [string, string])[]): string =>
    digestSources(new Map(files.map(([name, text]) => [name, Buffer.from(text)])))
  const base = digest(['a', 'xy'], ['b', 'z'])
  assert.equal(digest(['a', 'xy'], ['b', 'z']), base)
  for (const other of [
    digest(['a', 'x'], ['b', 'z']),
    digest(['a', 'x'], ['yb', 'z']),
    digest(['a', 'xyz'], ['b', '']),
    digest(['c', 'xy'], ['b', 'z']),
    digest(['a', 'xy']),
  ]) {
    assert.notEqual(other, base)
  }
})

test('refused: a folder without Rego, YAML data, a folder that is not there', async () => {
  await withFolder({ 'data.json': '{}' }, async (folder) => {
    await assert.rejects(readSources(folder), { code: 'ERR_POLICY_COMPILE' })
    await assert.rejects(readSources(join(folder, 'none')), { code: 'ENOENT' })
  })
  await withFolder({ 'a.rego': 'package a', 'data.yaml': 'a: 1' }, async (folder) => {
    await assert.rejects(readSources(folder), { code: 'ERR_POLICY_COMPILE' })
  })
})
