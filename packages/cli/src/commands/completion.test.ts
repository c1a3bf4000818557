import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { picket } from '../testing.ts'

test(
  'bash completes commands and flags where they belong',
  { skip: spawnSync('bash', ['-c', ':']).error !== undefined },
  async () => {
    const { code, out } = await picket('completion', 'bash', '-q')
    assert.equal(code, 0)
    const complete = (...words: string[]): string[] => {
      const setup = `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}`
      const script = `${out}\n${setup}; _picket; echo "\${COMPREPLY[@]}"`
      return spawnSync('bash', ['-c', script], { encoding: 'utf8' }).stdout.trim().split(' ')
    }
    assert.deepEqual(complete('picket', 'en'), ['entry'])
    assert.deepEqual(complete('picket', 'entry', ''), complete('picket', '-o', 'json', 'entry', ''))
    assert.deepEqual(complete('picket', 'entry', 'cr'), ['create'])
    assert.deepEqual(complete('picket', 'entry', 'create', '/payments', '--sel'), ['--selector'])
    assert.deepEqual(complete('picket', 'sidecar', '--inb'), ['--inbound'])
    assert.deepEqual(complete('picket', 'ports', '--no'), ['--no-headers'])
  },
)

test('a shell that is not known is a usage error', async () => {
  assert.equal((await picket('completion', 'tcsh')).code, 2)
})
