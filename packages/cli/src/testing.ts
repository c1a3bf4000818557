import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { systemClock, systemRandom } from '@picket/runtime'
import { FakeClock } from '@picket/runtime/testing'
import type { CliContext } from './context.ts'
import { runCli } from './main.ts'

/** A context that remembers what was printed, and whose signals are sent by the test. */
export interface TestContext extends CliContext {
  readonly printed: { out: string; err: string }
  send(signal: NodeJS.Signals): void
  /** How many listeners are left over all signals. */
  readonly listening: number
}

export function createTestContext(environment: CliContext['environment'] = {}): TestContext {
  const printed = { out: '', err: '' }
  const listeners = new Set<{ signal: NodeJS.Signals; listener: (signal: NodeJS.Signals) => void }>()
  return {
    printed,
    environment,
    stdin: Readable.from([]),
    stdout: { write: (text) => void (printed.out += text), columns: undefined },
    stderr: { write: (text) => void (printed.err += text), columns: undefined },
    signals: {
      on(signal, listener) {
        const entry = { signal, listener }
        listeners.add(entry)
        return { [Symbol.dispose]: () => void listeners.delete(entry) }
      },
    },
    send: (signal) => {
      for (const entry of listeners) if (entry.signal === signal) entry.listener(signal)
    },
    get listening() {
      return listeners.size
    },
    clock: new FakeClock(),
    random: systemRandom,
    exitCode: 0,
  }
}

export interface Finished {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly out: string
  readonly err: string
}

const main = fileURLToPath(new URL('./main.ts', import.meta.url))

/** A real `picket` process. `outMatches` and `errMatches` resolve as soon as what it printed matches. */
export class PicketProcess {
  readonly finished: Promise<Finished>
  readonly #child
  #out = ''
  #err = ''

  constructor(args: readonly string[], environment: Readonly<Record<string, string>> = {}, cwd?: string) {
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('PICKET_'))
    const env = { ...Object.fromEntries(inherited), ...environment }
    this.#child = spawn(process.execPath, [main, ...args], { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => (this.#out += text))
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#err += text))
    this.finished = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => resolve({ code, signal, out: this.#out, err: this.#err }))
    })
  }

  kill(signal: NodeJS.Signals = 'SIGTERM'): void {
    this.#child.kill(signal)
  }

  async until(pattern: RegExp, stream: 'out' | 'err' = 'out'): Promise<RegExpExecArray> {
    let over = false
    void this.finished.then(() => (over = true))
    for (let waited = 0; waited < 30_000; waited += 20) {
      const found = pattern.exec(stream === 'out' ? this.#out : this.#err)
      if (found) return found
      if (over) break
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    throw new Error(`${String(pattern)} was not printed on ${stream}:\n${this.#out}\n${this.#err}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill('SIGKILL')
    await this.finished
  }
}

/** Runs `picket` to its end in a process of its own. */
export function picket(...args: string[]): Promise<Finished> {
  return new PicketProcess(args).finished
}

/** Runs `picket` to its end in this process: for flows of many commands, which would load the same code again and again. */
export async function picketHere(...args: string[]): Promise<Finished> {
  const context = Object.assign(createTestContext(), { clock: systemClock })
  const code = await runCli(args, context)
  return { code, signal: null, ...context.printed }
}

export interface ScratchFolder extends AsyncDisposable {
  readonly path: string
}

export async function createScratchFolder(): Promise<ScratchFolder> {
  const path = await mkdtemp(join(tmpdir(), 'picket-cli-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}
