import assert from 'node:assert/strict'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { claimStateDir } from './state-lock.ts'

test(
  'a state folder serves one sidecar at a time, by whatever path it is named',
  { skip: process.platform !== 'linux' },
  async () => {
    const dir = await mkdtemp(join(tmpdir(), 'picket-state-lock-'))
    const other = await mkdtemp(join(tmpdir(), 'picket-state-lock-'))
    const alias = join(other, 'alias')
    try {
      await symlink(dir, alias)
      {
        await using _claim = await claimStateDir(dir)
        await using _elsewhere = await claimStateDir(other)
        await assert.rejects(claimStateDir(dir), { code: 'ERR_STATE_DIR_IN_USE' })
        await assert.rejects(claimStateDir(alias), { code: 'ERR_STATE_DIR_IN_USE' })
      }
      await using _again = await claimStateDir(alias)
    } finally {
      await rm(dir, { recursive: true })
      await rm(other, { recursive: true })
    }
  },
)
