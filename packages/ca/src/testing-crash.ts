import { once } from 'node:events'
import { parseSealKey, systemClock, systemRandom } from '@picket/runtime'
import type { Authority } from './authority.ts'
import type { AuthorityKind } from './authority-slots.ts'
import { openFolder, type Folder } from './folder.ts'
import { openAuthorityIn } from './open-authority.ts'

/** What the parent sends to this process. */
export interface CrashOrder {
  readonly directory: string
  readonly sealKey: string
  /** How many files are written or removed before the end comes. */
  readonly steps: number
  readonly operation: 'open' | 'prepare' | 'activate' | 'taint' | 'revoke'
  readonly kind: AuthorityKind
  readonly keyId: string
}

/**
 * A process of the crash test: does as its parent orders with a folder of authorities, and is killed, as by a power cut,
 * when it has taken as many steps as it was told.
 */
const [order] = (await once(process, 'message')) as [CrashOrder]
const { directory, kind, keyId } = order
let left = order.steps

function die(): void {
  if (left-- <= 0) process.kill(process.pid, 'SIGKILL')
}

function createMortalFolder(folder: Folder): Folder {
  return {
    ...folder,
    write(name, bytes, mode) {
      die()
      return folder.write(name, bytes, mode)
    },
    remove(name) {
      die()
      return folder.remove(name)
    },
  }
}

const OPERATIONS: Record<CrashOrder['operation'], (authority: Authority) => Promise<unknown>> = {
  open: () => Promise.resolve(),
  prepare: (authority) => authority.prepare(kind),
  activate: (authority) => authority.activate(kind, keyId),
  taint: (authority) => authority.taint(kind, keyId),
  revoke: (authority) => authority.revoke(kind, keyId),
}
const deps = { clock: systemClock, random: systemRandom }
const options = { sealKey: parseSealKey(order.sealKey) }
await using authority = await openAuthorityIn(createMortalFolder(openFolder(directory)), options, deps)
await OPERATIONS[order.operation](authority)
process.disconnect?.()
