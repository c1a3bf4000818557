import { chmod, mkdir, open, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, generateSealKeyText, messageOf, parseSealKey, type Logger, type SealKey } from '@picket/runtime'
import type { StateConfig } from './control-plane-source.ts'
import { AgentError } from './error.ts'

const OTHERS = 0o077

/**
 * The state folder (0700) and the key that seals what is in it. A key given by name must be there; only the default file
 * `seal.key` is made when missing. That default lies beside what it seals, so it guards copies of the sealed file alone
 * (backups, a lost image layer), not a copy of the whole folder: for that, keep the key elsewhere. Throws
 * `ERR_SEAL_KEY_FILE`, `ERR_SEAL_KEY`.
 */
export async function openStateDir({ dir, sealKey, sealKeyFile }: StateConfig, logger: Logger): Promise<SealKey> {
  if ((await mkdir(dir, { recursive: true, mode: 0o700 })) !== undefined) await chmod(dir, 0o700)
  await warnIfOpen(dir, logger)
  if (sealKey) return sealKey
  const file = sealKeyFile ?? join(dir, 'seal.key')
  if (sealKeyFile === undefined) await createKeyFile(file)
  const key = await readKeyFile(file)
  await warnIfOpen(file, logger)
  return key
}

async function createKeyFile(file: string): Promise<void> {
  try {
    await using handle = await open(file, 'wx', 0o600)
    await handle.writeFile(generateSealKeyText())
    await handle.sync()
  } catch (thrown) {
    if (codeOf(thrown) !== 'EEXIST') throw unusable(file, thrown)
  }
}

async function readKeyFile(file: string): Promise<SealKey> {
  try {
    return parseSealKey(await readFile(file, 'utf8'))
  } catch (cause) {
    throw unusable(file, cause)
  }
}

async function warnIfOpen(path: string, logger: Logger): Promise<void> {
  const { mode } = await stat(path)
  if ((mode & OTHERS) === 0) return
  logger.warn('other users of the machine may read this path', { path, mode: (mode & 0o777).toString(8) })
}

function unusable(file: string, cause: unknown): AgentError {
  return new AgentError('ERR_SEAL_KEY_FILE', `sealing key ${file}: ${messageOf(cause)}`, { cause })
}
