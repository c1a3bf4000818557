import type { Socket } from 'node:net'
import { messageOf } from '@picket/runtime'
import { SidecarError } from '../error.ts'

/** Who connected, as the kernel noted it at `connect()`: nothing that the other end says itself. */
export interface PeerCredentials {
  readonly pid: number
  readonly uid: number
  readonly gid: number
  /**
   * A descriptor of the very process (Linux 6.5 and later), ours to close: as long as it names the pid, nobody else has
   * that pid. Undefined on older kernels.
   */
  readonly pidfd: number | undefined
}

/** Undefined: the kernel does not say, so nobody is there to be believed. */
export type ReadPeerCredentials = (socket: Socket) => PeerCredentials | undefined

const SOL_SOCKET = 1
const SO_PEERCRED = 17
const SO_PEERPIDFD = 77
/** `getsockopt` does not know the option: an older kernel. */
const ENOPROTOOPT = 92

/**
 * Node has no SO_PEERCRED, so libc's `getsockopt` is called through the optional package koffi, which is loaded here, when
 * the setting asks for it, and nowhere else. Throws `ERR_PEER_CREDENTIALS` that says what to do.
 */
export async function openPeerCredentials(load = () => import('koffi')): Promise<ReadPeerCredentials> {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) {
    throw unavailable(`they are read on Linux (x64, arm64) only, not on ${process.platform} ${process.arch}`)
  }
  const getOption = await loadGetOption(load)
  return (socket) => {
    const fd = descriptorOf(socket)
    if (fd === undefined) return undefined
    const ucred = Buffer.alloc(12)
    if (getOption(fd, SO_PEERCRED, ucred) !== 0) return undefined
    const [pid, uid, gid] = [ucred.readInt32LE(0), ucred.readUInt32LE(4), ucred.readUInt32LE(8)]
    if (pid <= 0) return undefined // a process of another pid namespace
    const pidfd = Buffer.alloc(4)
    const failure = getOption(fd, SO_PEERPIDFD, pidfd)
    if (failure === ENOPROTOOPT) return { pid, uid, gid, pidfd: undefined }
    return failure === 0 ? { pid, uid, gid, pidfd: pidfd.readInt32LE(0) } : undefined // gone already
  }
}

/** 0, or the number of the system's error. */
type GetOption = (fd: number, option: number, value: Buffer) => number

async function loadGetOption(load: () => Promise<typeof import('koffi')>): Promise<GetOption> {
  try {
    const { default: koffi } = await load()
    const getsockopt = koffi.load(null).func('int getsockopt(int, int, int, void *, void *)')
    return (fd, option, value) => {
      const length = Buffer.alloc(4)
      length.writeUInt32LE(value.length)
      const failed = getsockopt(fd, SOL_SOCKET, option, value, length) as number
      if (failed !== 0) return koffi.errno()
      return length.readUInt32LE(0) === value.length ? 0 : -1
    }
  } catch (cause) {
    throw unavailable(`the optional package koffi does not load (${messageOf(cause).split('\n', 1)[0]})`, cause)
  }
}

/** Node keeps it inside the handle. Everybody's handle on Linux has had it since there are handles. */
function descriptorOf(socket: Socket): number | undefined {
  const fd = (socket as { readonly _handle?: { readonly fd?: unknown } })._handle?.fd
  return typeof fd === 'number' && fd >= 0 ? fd : undefined
}

function unavailable(why: string, cause?: unknown): SidecarError {
  const wayOut =
    'install it with "npm install koffi@3.3.4", or leave workloadAttestation off and give each workload a socket of its own'
  return new SidecarError(
    'ERR_PEER_CREDENTIALS',
    `workloadAttestation: peer credentials cannot be read: ${why}; ${wayOut}`,
    { cause },
  )
}
