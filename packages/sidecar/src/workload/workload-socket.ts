import { chmodSync } from 'node:fs'
import { chmod, chown, lstat, mkdir, readFile, stat, unlink } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { codeOf, messageOf } from '@picket/runtime'
import { SidecarError } from '../error.ts'

/**
 * The Unix socket of the Workload API. Whoever can open it gets the private keys behind it, so that its mode, its folder's
 * mode and what lay at its path before are the door: 0600 in a folder of 0700, or 0660 in 0750 with a group by name.
 */
export interface WorkloadSocketOptions {
  readonly path: string
  readonly group: string | undefined
}

/** Resolves when connections are taken. Throws `ERR_PORT_IN_USE` for a path that is served, else `ERR_LISTEN`. */
export async function listenOnWorkloadSocket(
  { path, group }: WorkloadSocketOptions,
  accept: (socket: Socket) => void,
): Promise<Server> {
  try {
    const groupId = group === undefined ? undefined : await findGroup(group)
    await prepareFolder(dirname(path), groupId)
    await removeStale(path)
    const server = createServer(accept)
    await listen(server, path)
    if (groupId !== undefined) {
      await chown(path, process.getuid!(), groupId)
      await chmod(path, 0o660)
    }
    return server
  } catch (thrown) {
    if (thrown instanceof SidecarError) throw thrown
    throw new SidecarError('ERR_LISTEN', `workloadApi: ${path} cannot be listened on: ${messageOf(thrown)}`, {
      cause: thrown,
    })
  }
}

/** A folder of ours is private; one that was there must not let others put their own socket in the place of this one. */
async function prepareFolder(folder: string, groupId: number | undefined): Promise<void> {
  const mode = groupId === undefined ? 0o700 : 0o750
  const created = await mkdir(folder, { recursive: true, mode })
  if (created !== undefined) {
    await chmod(folder, mode)
    if (groupId !== undefined) await chown(folder, process.getuid!(), groupId)
    return
  }
  const { mode: present, uid } = await stat(folder)
  const isOthers = uid !== 0 && uid !== process.getuid!()
  if (!isOthers && ((present & 0o022) === 0 || (present & 0o1000) !== 0)) return
  const wayOut = isOthers ? 'chown it' : 'chmod go-w it'
  const message = `workloadApi: others may write in ${folder}, and so replace the socket: ${wayOut}, or name a folder inside it that is not there yet`
  throw new SidecarError('ERR_LISTEN', message)
}

async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch((thrown: unknown) => {
    if (codeOf(thrown) === 'ENOENT') return undefined
    throw thrown
  })
  if (!found) return
  if (!found.isSocket())
    throw new SidecarError(
      'ERR_LISTEN',
      `workloadApi: ${path} is there and is not a socket: remove it, or choose another path`,
    )
  if (await isServed(path)) {
    const message = `workloadApi: ${path} is in use by another process: choose another path with --workload-api`
    throw new SidecarError('ERR_PORT_IN_USE', message, { retryable: true })
  }
  const again = await lstat(path)
  if (again.ino === found.ino && again.dev === found.dev) await unlink(path)
}

function isServed(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = connect(path)
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', (error) => {
      const code = codeOf(error)
      if (code === 'ECONNREFUSED' || code === 'ENOENT') resolve(false)
      else if (code === 'EAGAIN') resolve(true)
      else reject(error)
    })
  })
}

/** The socket is made by the call itself, and is private from its first moment. */
function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    const before = process.umask(0o177)
    try {
      server.listen(path, () => {
        server.off('error', reject)
        resolve()
      })
    } finally {
      process.umask(before)
    }
    if (server.listening) chmodSync(path, 0o600)
  })
}

/** The number of a group: as given, or by name from /etc/group. */
export async function findGroup(group: string): Promise<number> {
  if (/^\d{1,10}$/.test(group)) return Number(group)
  const lines = (await readFile('/etc/group', 'utf8')).split('\n')
  const line = lines.map((entry) => entry.split(':')).find(([name]) => name === group)
  const id = Number(line?.[2])
  if (line?.[2] === undefined || !Number.isInteger(id)) {
    throw new SidecarError(
      'ERR_LISTEN',
      `workloadApiGroup: there is no group "${group}" on this host: create it, or give its number`,
    )
  }
  return id
}
