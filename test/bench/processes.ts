import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { openSync, readdirSync, readFileSync } from 'node:fs'

/** A process that the benchmark started; ended by its own id when disposed. */
export interface StartedProcess extends AsyncDisposable {
  readonly pid: number
  /** Set once the process has ended by itself. */
  readonly exited: () => boolean
}

const GRACE_MS = 3_000

/** Starts a program with both output streams in `logFile`. */
export function startProcess(
  command: string,
  args: readonly string[],
  folder: string,
  logFile: string,
): StartedProcess {
  const log = openSync(logFile, 'a')
  const child = spawn(command, args, { cwd: folder, stdio: ['ignore', log, log] })
  const endWithUs = (): void => void child.kill('SIGTERM')
  process.once('exit', endWithUs)
  child.once('error', () => undefined)
  return {
    pid: child.pid ?? 0,
    exited: () => child.pid === undefined || child.exitCode !== null || child.signalCode !== null,
    async [Symbol.asyncDispose]() {
      process.removeListener('exit', endWithUs)
      await end(child)
    },
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const killer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS)
  child.kill('SIGTERM')
  await once(child, 'exit')
  clearTimeout(killer)
}

/** What a process tree has used: CPU time since its start, resident memory now. */
export interface Usage {
  readonly cpuMicroseconds: number
  readonly residentBytes: number
}

/** `USER_HZ`: the unit of utime and stime in `/proc/PID/stat`, 100 on every Linux that Node runs on. */
const MICROSECONDS_PER_TICK = 10_000
const PAGE_BYTES = 4_096

/** utime + stime and resident pages of a process and all that descend from it, read from `/proc/PID/stat`. */
export function usageOf(root: number): Usage {
  const stats = readStats()
  const tree = new Set([root])
  for (let before = 0; before !== tree.size;) {
    before = tree.size
    for (const stat of stats) if (tree.has(stat.parent)) tree.add(stat.pid)
  }
  const members = stats.filter((stat) => tree.has(stat.pid))
  return {
    cpuMicroseconds: members.reduce((sum, stat) => sum + stat.ticks, 0) * MICROSECONDS_PER_TICK,
    residentBytes: members.reduce((sum, stat) => sum + stat.pages, 0) * PAGE_BYTES,
  }
}

interface Stat {
  readonly pid: number
  readonly parent: number
  readonly ticks: number
  readonly pages: number
}

function readStats(): Stat[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.flatMap((name) => {
    try {
      return [parseStat(readFileSync(`/proc/${name}/stat`, 'latin1'))]
    } catch {
      return [] // ended while we looked
    }
  })
}

/** proc(5): the command is in parentheses and may itself hold some, so fields count from the last one. */
function parseStat(text: string): Stat {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const field = (number: number): number => Number(fields[number - 3])
  return { pid: Number.parseInt(text, 10), parent: field(4), ticks: field(14) + field(15), pages: field(24) }
}
