import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cacheFolder, findProgram, PROGRAMS } from '../../support/programs.ts'
import type { Contestant } from './meter.ts'

const run = promisify(execFile)

export interface GoProgram {
  contestant(name: string, mode: 'issue' | 'verify', folder: string): Contestant
}

/** Builds `go/main.go`; a text says why there is none. */
export async function buildGoProgram(): Promise<GoProgram | string> {
  const go = findProgram('go')
  if (go === undefined) return `go is missing: ${PROGRAMS.go}`
  const folder = join(cacheFolder(), 'bench')
  await mkdir(folder, { recursive: true })
  const binary = join(folder, 'identity-bench')
  await run(go, ['build', '-o', binary, '.'], { cwd: join(import.meta.dirname, 'go'), timeout: 240_000 })
  return {
    contestant: (name, mode, directory) => ({
      name,
      async measure(seconds) {
        const { stdout } = await run(binary, ['-mode', mode, '-dir', directory, '-seconds', String(seconds)])
        return JSON.parse(stdout) as { count: number; cpuSeconds: number }
      },
    }),
  }
}
