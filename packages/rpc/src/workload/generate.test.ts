import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { generateTypes } from '../generate.ts'
import { REFLECTION_PROTO_FILES, WORKLOAD_PROTO_FILES } from './proto-files.ts'

function filesOf(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
  return Object.fromEntries(names.sort().map((name) => [name, readFileSync(join(folder, name), 'utf8')]))
}

test('the generated types are those of proto/ (else run: node packages/rpc/src/generate.ts)', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'picket-generated-'))
  t.after(() => rmSync(folder, { recursive: true }))
  generateTypes(folder, [...WORKLOAD_PROTO_FILES, ...REFLECTION_PROTO_FILES])
  assert.deepEqual(filesOf(join(import.meta.dirname, 'generated')), filesOf(folder))
})
