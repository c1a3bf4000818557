import { readFileSync } from 'node:fs'
import { parseSealKey, systemClock, systemRandom } from '@picket/runtime'
import type { AuthorityKind } from './authority-slots.ts'
import { openFolder, type Folder } from './folder.ts'
import { openAuthorityIn } from './open-authority.ts'

/**
 * A process of the crash test: changes a folder of authorities and is killed, as by a power cut, once it has written or
 * removed as many files as it was told. `node testing-crash.ts FOLDER SEAL-KEY-FILE STEPS OPERATION [KIND [KEY-ID]]`
 */
const [directory = '', sealKeyFile = '', steps = '', operation = '', kind = 'x509', keyId = ''] = process.argv.slice(2)
let left = Number(steps)

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

const sealKey = parseSealKey(readFileSync(sealKeyFile, 'utf8'))
const deps = { clock: systemClock, random: systemRandom }
await using authority = await openAuthorityIn(createMortalFolder(openFolder(directory)), { sealKey }, deps)
const of = kind as AuthorityKind
const OPERATIONS: Record<string, () => Promise<unknown>> = {
  open: () => Promise.resolve(),
  prepare: () => authority.prepare(of),
  activate: () => authority.activate(of, keyId),
  taint: () => authority.taint(of, keyId),
  revoke: () => authority.revoke(of, keyId),
}
await OPERATIONS[operation]!()
