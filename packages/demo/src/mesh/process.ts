import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { request } from 'node:http'
import { formatHostPort, systemClock, type HostPort } from '@picket/runtime'

/** A real process of the mesh: started, watched, ended by its own pid and nothing else. */
export interface MeshProcess {
  readonly name: string
  readonly pid: number
  /** Exit code, or the signal's name; resolves once. */
  readonly exited: Promise<number | string>
  readonly running: boolean
  /** SIGTERM, then SIGKILL after `graceMs`; resolves when the process is gone. */
  stop(graceMs?: number): Promise<void>
  /** SIGKILL: what a crash looks like. */
  kill(): Promise<void>
  signal(name: NodeJS.Signals): void
}

export interface ProcessOptions {
  readonly name: string
  readonly command: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Where its output goes, so that a failure can be explained. */
  readonly logFile: string
}

export function startProcess({ name, command, env, logFile }: ProcessOptions): MeshProcess {
  const log = openSync(logFile, 'a', 0o600)
  const [program = process.execPath, ...args] = command
  const child = spawn(program, args, { stdio: ['ignore', log, log], env: { ...process.env, ...env } })
  closeSync(log)
  const exited = exitOf(child)
  let running = true
  void exited.then(() => (running = false))

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (running) child.kill(signal)
    await exited
  }
  return {
    name,
    pid: child.pid ?? -1,
    exited,
    get running() {
      return running
    },
    signal: (signal) => void child.kill(signal),
    kill: () => end('SIGKILL'),
    async stop(graceMs = 15_000) {
      using _force = systemClock.after(graceMs, () => void child.kill('SIGKILL'))
      await end('SIGTERM')
    },
  }
}

function exitOf(child: ChildProcess): Promise<number | string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(signal ?? code ?? -1))
  })
}

/** Starts a daemon and resolves when it is ready; one that does not become ready is ended. */
export async function startDaemon(options: ProcessOptions, health: HostPort): Promise<MeshProcess> {
  const started = startProcess(options)
  try {
    await waitUntilReady(started, health, options.logFile)
    return started
  } catch (thrown) {
    await started.kill()
    throw thrown
  }
}

/**
 * Polls `http://ADDRESS/ready` until it answers 200. Throws when the process ends first or after `timeoutMs`, with the
 * end of the process's log.
 */
async function waitUntilReady(
  running: MeshProcess,
  health: HostPort,
  logFile: string,
  timeoutMs = 60_000,
): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + timeoutMs
  let answer = 'no answer'
  while (running.running && systemClock.monotonicMs() < deadlineMs) {
    const response = await probe(health)
    if (response.status === 200) return
    answer = response.body
    await systemClock.sleep(50)
  }
  const log = await readFile(logFile, 'utf8').catch(() => '')
  const why = running.running ? `is not ready after ${timeoutMs} ms (${answer.trim()})` : 'ended before it was ready'
  throw new Error(`${running.name} ${why}; the end of ${logFile}:\n${log.split('\n').slice(-15).join('\n')}`)
}

/** The answer of `/ready`: status 0 when nobody answers. */
function probe({ host, port }: HostPort): Promise<{ status: number; body: string }> {
  return new Promise((resolve) => {
    const call = request({ host, port, path: '/ready', timeout: 2000, agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
      response.on('error', () => resolve({ status: 0, body }))
    })
    call.on('timeout', () => call.destroy())
    call.on('error', (error) => resolve({ status: 0, body: `${formatHostPort({ host, port })}: ${error.message}` }))
    call.end()
  })
}
