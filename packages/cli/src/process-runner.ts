import { spawn, type ChildProcess } from 'node:child_process'
import { constants } from 'node:os'
import { codeOf } from '@picket/runtime'
import type { SignalSource } from './context.ts'
import { CliError } from './error.ts'

/** A program that runs in our place: same terminal, its signals passed on, its end told as a shell would. */
export interface AppProcess {
  /** Its exit code, or 128 + n when signal n ended it. Never rejects. */
  readonly exited: Promise<number>
  kill(signal: NodeJS.Signals): void
}

/** What supervisors and terminals send to the process they started, and which the app is the one to answer. */
const FORWARDED = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH', 'SIGCONT'] as const

/** A terminal sends these to the whole foreground group: the app has them already. */
const SENT_BY_TERMINAL: ReadonlySet<string> = new Set(['SIGINT', 'SIGQUIT', 'SIGWINCH'])

export interface AppOptions {
  readonly command: readonly [program: string, ...args: string[]]
  readonly environment: Readonly<Record<string, string | undefined>>
  /** True when standard input is a terminal that the app shares with us. */
  readonly onTerminal: boolean
}

/** Throws `ERR_COMMAND_NOT_FOUND` when there is nothing to run. */
export async function startApp(
  { command, environment, onTerminal }: AppOptions,
  signals: SignalSource,
): Promise<AppProcess> {
  const [program, ...args] = command
  const child = spawn(program, args, { stdio: 'inherit', env: environment })
  const listeners = FORWARDED.filter((name) => !(onTerminal && SENT_BY_TERMINAL.has(name))).map((name) =>
    signals.on(name, (received) => void child.kill(received)),
  )
  if (onTerminal) listeners.push(...['SIGINT', 'SIGQUIT'].map((name) => signals.on(name as NodeJS.Signals, () => {})))
  const exited = exitCodeOf(child).finally(() => listeners.forEach((listener) => listener[Symbol.dispose]()))
  await started(child, program).catch((thrown: unknown) => {
    listeners.forEach((listener) => listener[Symbol.dispose]())
    throw thrown
  })
  return { exited, kill: (signal) => void child.kill(signal) }
}

function started(child: ChildProcess, program: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', (cause) => {
      const why = codeOf(cause) === 'ENOENT' ? 'there is no such command' : 'it cannot be started'
      reject(new CliError('ERR_COMMAND_NOT_FOUND', `${program}: ${why}`, { cause }))
    })
  })
}

function exitCodeOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(signal === null ? (code ?? 1) : 128 + constants.signals[signal]))
  })
}
