import { spawn } from 'node:child_process'
import { accessSync, constants, mkdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { runCommand } from '../../support/command.ts'
import { cacheFolder } from '../../support/programs.ts'

/** One line of the Go program in `client/`. */
export interface Seen {
  readonly event: string
  readonly ok: boolean
  readonly error?: string
  readonly code?: string
  readonly ids?: readonly string[]
  readonly hints?: readonly string[]
  readonly serial?: string
  readonly count?: number
}

/** Builds the program into the user's cache; Go itself knows when there is nothing to do. Throws when there is no Go. */
export async function buildGoClient(): Promise<string> {
  const folder = join(cacheFolder(), 'conformance')
  mkdirSync(folder, { recursive: true })
  const program = join(folder, 'spiffe-client')
  const source = join(import.meta.dirname, 'client')
  const { code, stderr } = await runCommand(findGo(), ['-C', source, 'build', '-o', program, '.'])
  if (code !== 0) throw new Error(`go build failed: ${stderr}`)
  return program
}

function findGo(): string {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/go/bin']
  for (const go of folders.map((folder) => join(folder, 'go'))) {
    try {
      accessSync(go, constants.X_OK)
      return go
    } catch {
      // the next folder
    }
  }
  throw new Error('go is missing: see https://go.dev/doc/install')
}

export async function fetchOnce(program: string, socket: string): Promise<readonly Seen[]> {
  const { stdout } = await runCommand(program, ['-socket', `unix://${socket}`, '-audience', 'ledger', 'fetch'])
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Seen)
}

export interface Watcher extends AsyncDisposable {
  /** The first line, seen or to come, that `accept` takes. Rejects after 20 s. */
  until(accept: (seen: Seen) => boolean): Promise<Seen>
}

const PATIENCE_MS = 20_000

export function startWatcher(program: string, socket: string): Watcher {
  const child = spawn(program, ['-socket', `unix://${socket}`, 'watch'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const seen: Seen[] = []
  const waiting = new Set<() => void>()
  createInterface(child.stdout).on('line', (line) => {
    seen.push(JSON.parse(line) as Seen)
    for (const wake of waiting) wake()
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  return {
    until: (accept) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = seen.find(accept)
          if (!found) return
          waiting.delete(look)
          clearTimeout(late)
          resolve(found)
        }
        const late = setTimeout(() => {
          waiting.delete(look)
          reject(
            new Error(`waited in vain; seen: ${seen.map(({ event, error }) => `${event} ${error ?? ''}`).join(', ')}`),
          )
        }, PATIENCE_MS)
        waiting.add(look)
        look()
      }),
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await ended
    },
  }
}
