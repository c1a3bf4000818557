import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { codeOf } from '@picket/runtime'
import { AgentError } from './error.ts'

/**
 * One sidecar to a state folder: two would write each other's identity, and after a restart one service would come up as
 * the other. The claim is a listening socket in Linux' abstract namespace, named after the folder itself (device and
 * inode): it needs no file and ends with the process, however that dies. Elsewhere there is no claim. Throws
 * `ERR_STATE_DIR_IN_USE`.
 */
export async function claimStateDir(dir: string): Promise<AsyncDisposable> {
  if (process.platform !== 'linux') return { [Symbol.asyncDispose]: () => Promise.resolve() }
  const { dev, ino } = await stat(dir, { bigint: true })
  const name = createHash('sha256').update(`${dev} ${ino}`).digest('hex').slice(0, 32)
  const server = createServer((socket) => socket.destroy()).unref()
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      const inUse = codeOf(cause) === 'EADDRINUSE'
      reject(inUse ? new AgentError('ERR_STATE_DIR_IN_USE', `stateDir ${dir} is in use by another sidecar`) : cause)
    })
    server.listen(`\0picket-sidecar-${name}`, resolve)
  })
  return {
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  }
}
