import { createHash } from 'node:crypto'
import { closeSync, readFileSync } from 'node:fs'
import { open, readFile, readlink } from 'node:fs/promises'
import type { PeerCredentials } from './peer-credentials.ts'

/**
 * What the kernel knows of a process, as selectors. A pid is a number that is given out again: everything read of
 * `/proc/PID` counts only if the same process was there before and after, and, where the kernel has pidfds, if it still is
 * the one that connected.
 */
export interface ProcessFacts {
  /** Undefined: the process is gone, or another one has its number. */
  read(peer: PeerCredentials): Promise<ReadonlySet<string> | undefined>
}

/** Programs whose digest is remembered. */
const MAX_DIGESTS = 256
/** Larger programs have no digest. */
const MAX_PROGRAM_BYTES = 1024 ** 3

export function createProcessFacts(proc = '/proc'): ProcessFacts {
  const digests = createDigests()
  return {
    async read({ pid, uid, gid, pidfd }) {
      const before = await startTimeOf(proc, pid)
      if (before === undefined) return undefined
      const [path, sha256] = await Promise.all([programPath(proc, pid), digests.of(`${proc}/${pid}/exe`)])
      const after = await startTimeOf(proc, pid)
      if (before !== after || (pidfd !== undefined && pidOfDescriptor(pidfd) !== pid)) return undefined
      const facts = [`unix:uid:${uid}`, `unix:gid:${gid}`]
      if (path !== undefined) facts.push(`unix:path:${path}`)
      if (sha256 !== undefined) facts.push(`unix:sha256:${sha256}`)
      return new Set(facts)
    },
  }
}

/** Field 22 of /proc/PID/stat: when the process began, in ticks since boot. The name before it may hold anything. */
export async function startTimeOf(proc: string, pid: number): Promise<string | undefined> {
  try {
    return parseStartTime(await readFile(`${proc}/${pid}/stat`, 'latin1'))
  } catch {
    return undefined
  }
}

export function parseStartTime(stat: string): string | undefined {
  const end = stat.lastIndexOf(')')
  const fields = end < 0 ? [] : stat.slice(end + 2).split(' ')
  const startTime = fields[19]
  return startTime !== undefined && /^\d+$/.test(startTime) ? startTime : undefined
}

/** The pid behind a pidfd: -1 once the process has ended. */
function pidOfDescriptor(pidfd: number): number {
  try {
    return parseDescriptorPid(readFileSync(`/proc/self/fdinfo/${pidfd}`, 'latin1'))
  } catch {
    return -1
  }
}

export function parseDescriptorPid(info: string): number {
  const match = /^Pid:\s+(-?\d{1,10})$/m.exec(info)
  return match ? Number(match[1]) : -1
}

export function closeDescriptor(pidfd: number | undefined): void {
  if (pidfd !== undefined) closeSync(pidfd)
}

/** Undefined when the file has been removed or replaced: then the path would say what the program no longer is. */
async function programPath(proc: string, pid: number): Promise<string | undefined> {
  try {
    const path = await readlink(`${proc}/${pid}/exe`)
    return path.startsWith('/') && !path.endsWith(' (deleted)') ? path : undefined
  } catch {
    return undefined
  }
}

/** SHA-256 of programs, remembered by file and time of change. */
function createDigests() {
  const known = new Map<string, string>()
  return {
    async of(program: string): Promise<string | undefined> {
      try {
        await using file = await open(program, 'r')
        const { dev, ino, size, mtimeNs, ctimeNs } = await file.stat({ bigint: true })
        if (size > MAX_PROGRAM_BYTES) return undefined
        const key = [dev, ino, size, mtimeNs, ctimeNs].join(' ')
        const digest = known.get(key) ?? (await digestOf(file))
        known.delete(key)
        known.set(key, digest)
        if (known.size > MAX_DIGESTS) known.delete(known.keys().next().value!)
        return digest
      } catch {
        return undefined
      }
    },
  }
}

async function digestOf(file: { createReadStream(options: object): AsyncIterable<Buffer> }): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of file.createReadStream({ autoClose: false, highWaterMark: 1024 * 1024, start: 0 }))
    hash.update(chunk)
  return hash.digest('hex')
}
