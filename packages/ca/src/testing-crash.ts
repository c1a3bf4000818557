import { once } from 'node:events'
import { parseSealKey, systemClock, systemRandom } from '@picket/runtime'
import { openFolder, type Folder } from './folder.ts'
import { openAuthorityIn } from './open-authority.ts'

/** What the parent sends to this process. */
export interface CrashOrder {
  readonly directory: string
  readonly sealKey: string
  /** How many files are written before the end comes. */
  readonly steps: number
}

/**
 * The process of the crash test: prepares an authority in a folder, and is killed, as by a power cut, when it has taken as
 * many steps as it was told.
 */
const [order] = (await once(process, 'message')) as [CrashOrder]
let left = order.steps

function createMortalFolder(folder: Folder): Folder {
  return {
    ...folder,
    write(name, bytes, mode) {
      if (left-- <= 0) process.kill(process.pid, 'SIGKILL')
      return folder.write(name, bytes, mode)
    },
  }
}

const options = { sealKey: parseSealKey(order.sealKey) }
const deps = { clock: systemClock, random: systemRandom }
await using authority = await openAuthorityIn(createMortalFolder(openFolder(order.directory)), options, deps)
await authority.prepare('x509')
process.disconnect?.()
