import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { runPicket } from './support/mesh.ts'

const readme = fileURLToPath(new URL('../README.md', import.meta.url))

test('the README’s configuration tables are those of the settings', async () => {
  const { code, stderr } = await runPicket(['docs', 'settings', '--check', readme])
  assert.equal(code, 0, stderr)
})
