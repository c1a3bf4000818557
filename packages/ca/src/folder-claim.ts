import { hash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { codeOf } from '@picket/runtime'
import { CaError } from './error.ts'

/**
 * One process to a folder of authorities: two would overwrite each other's state and sweep each other's keys. The claim
 * is a listening socket in Linux' abstract namespace, named after the folder itself (device and inode): it needs no file
 * and ends with the process, however that dies. Elsewhere there is no claim. Throws `ERR_AUTHORITY_IN_USE`.
 */
export async function claimFolder(path: string): Promise<AsyncDisposable> {
  if (process.platform !== 'linux') return { [Symbol.asyncDispose]: () => Promise.resolve() }
  const { dev, ino } = await stat(path, { bigint: true })
  const name = hash('sha256', `${dev} ${ino}`, 'hex').slice(0, 32)
  const server = createServer((socket) => socket.destroy()).unref()
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      const inUse = codeOf(cause) === 'EADDRINUSE'
      reject(inUse ? new CaError('ERR_AUTHORITY_IN_USE', `${path} is in use by another control plane`) : cause)
    })
    server.listen(`\0picket-ca-${name}`, resolve)
  })
  return {
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  }
}
