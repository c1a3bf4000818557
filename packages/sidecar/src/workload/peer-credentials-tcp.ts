import { readdir, readFile, readlink } from 'node:fs/promises'
import { isIPv4 } from 'node:net'
import { startTimeOf } from './peer-credentials-process.ts'

/** The two ends of a loopback connection, as our own socket has them. */
export interface TcpEnds {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
}

/** A process that holds the other end, with the user who made the socket. */
export interface TcpPeer {
  readonly pid: number
  readonly uid: number
  readonly gid: number
}

/**
 * Who is behind a TCP connection on this host: the kernel's table of sockets names the inode and the user of the other
 * end, and some process has that inode open. Empty when it cannot be found out; several when processes share the socket,
 * and then only what is true of all of them may be believed.
 */
export async function findTcpPeers(ends: TcpEnds, proc = '/proc'): Promise<readonly TcpPeer[]> {
  const found = await findInTables(proc, ends)
  if (!found) return []
  const pids = await holdersOf(proc, `socket:[${found.inode}]`)
  const peers = await Promise.all(
    pids.map(async (pid) => {
      const gid = await groupOf(proc, pid)
      return gid === undefined ? [] : [{ pid, uid: found.uid, gid }]
    }),
  )
  return peers.flat()
}

/** A program may reach an IPv4 address through an IPv6 socket: then its end is in the other table, in the longer form. */
async function findInTables(proc: string, ends: TcpEnds): Promise<ReturnType<typeof findSocket>> {
  if (!isIPv4(ends.remoteAddress)) return findSocket(await readFile(`${proc}/net/tcp6`, 'latin1'), ends)
  const found = findSocket(await readFile(`${proc}/net/tcp`, 'latin1'), ends)
  if (found) return found
  const [remoteAddress, localAddress] = [`::ffff:${ends.remoteAddress}`, `::ffff:${ends.localAddress}`]
  return findSocket(await readFile(`${proc}/net/tcp6`, 'latin1'), { ...ends, remoteAddress, localAddress })
}

/** The row of the other end: its local address is our remote one. `01` = established. */
export function findSocket(table: string, ends: TcpEnds): { readonly inode: string; readonly uid: number } | undefined {
  const local = toTableAddress(ends.remoteAddress, ends.remotePort)
  const remote = toTableAddress(ends.localAddress, ends.localPort)
  for (const line of table.split('\n')) {
    const [, from, to, state, , , , uid, , inode] = line.trim().split(/\s+/)
    if (from !== local || to !== remote || state !== '01') continue
    if (!/^\d{1,10}$/.test(uid ?? '') || !/^[1-9]\d*$/.test(inode ?? '')) return undefined
    return { inode: inode!, uid: Number(uid) }
  }
  return undefined
}

/** `127.0.0.1:8080` → `0100007F:1F90`: words of the host's byte order, which is little-endian on all that we run on. */
export function toTableAddress(address: string, port: number): string {
  const bytes = isIPv4(address) ? address.split('.').map(Number) : ipv6Bytes(address)
  const words: string[] = []
  for (let at = 0; at < bytes.length; at += 4) {
    words.push(Buffer.from(bytes.slice(at, at + 4).reverse()).toString('hex'))
  }
  return `${words.join('')}:${port.toString(16).padStart(4, '0')}`.toUpperCase()
}

function ipv6Bytes(address: string): number[] {
  const mapped = /^::ffff:(\d+(?:\.\d+){3})$/i.exec(address)?.[1]
  if (mapped !== undefined) return [...Array.from({ length: 10 }, () => 0), 255, 255, ...mapped.split('.').map(Number)]
  const [head = '', tail] = address.split('::')
  const groups = (part: string): number[] =>
    part
      .split(':')
      .filter(Boolean)
      .map((group) => Number.parseInt(group, 16))
  const [front, back] = [groups(head), groups(tail ?? '')]
  const zeros = Array.from({ length: Math.max(0, 8 - front.length - back.length) }, () => 0)
  return [...front, ...zeros, ...back].flatMap((group) => [group >> 8, group & 255])
}

async function holdersOf(proc: string, socket: string): Promise<readonly number[]> {
  const pids = (await readdir(proc)).filter((name) => /^\d+$/.test(name)).map(Number)
  const held = await Promise.all(pids.map((pid) => holds(proc, pid, socket)))
  return pids.filter((_, index) => held[index])
}

async function holds(proc: string, pid: number, socket: string): Promise<boolean> {
  try {
    const before = await startTimeOf(proc, pid)
    for (const fd of await readdir(`${proc}/${pid}/fd`)) {
      if ((await readlink(`${proc}/${pid}/fd/${fd}`).catch(() => '')) === socket) {
        return before !== undefined && before === (await startTimeOf(proc, pid))
      }
    }
  } catch {
    // gone, or of a user whose processes we may not look into
  }
  return false
}

/** The effective group: the second number of `Gid:` in /proc/PID/status. */
async function groupOf(proc: string, pid: number): Promise<number | undefined> {
  try {
    const match = /^Gid:\s+\d+\s+(\d{1,10})\s/m.exec(await readFile(`${proc}/${pid}/status`, 'latin1'))
    return match ? Number(match[1]) : undefined
  } catch {
    return undefined
  }
}
