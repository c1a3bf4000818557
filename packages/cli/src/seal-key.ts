import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  codeOf,
  generateSealKeyText,
  parseSealKey,
  writeFileAtomic,
  type SealKey,
  type SettingsTable,
} from '@picket/runtime'
import { CliError } from './error.ts'

/** Where the key comes from that seals the authority's key: a variable, a file, or a file of our own making. */
export const sealKeySettings = {
  sealKey: {
    parse: parseSealKey,
    optional: true,
    secret: true,
    placeholder: 'KEY',
    doc: 'sealing key of the authority: 64 hex digits or base64; better in the environment than in a flag',
  },
  sealKeyFile: {
    parse: String,
    optional: true,
    placeholder: 'FILE',
    doc: 'file with the sealing key; default DATA_DIR/seal.key, created by ca init',
  },
} as const satisfies SettingsTable

export interface SealKeySettings {
  readonly sealKey: SealKey | undefined
  readonly sealKeyFile: string | undefined
}

/** The key that is named, or the data folder's own, made now if it is not there yet. */
export async function createSealKey(
  { sealKey, sealKeyFile }: SealKeySettings,
  dataDir: string,
): Promise<{ readonly sealKey: SealKey; readonly createdFile?: string }> {
  if (sealKey && sealKeyFile !== undefined) {
    throw new CliError('ERR_USAGE', 'sealKey and sealKeyFile exclude each other: give one of them')
  }
  if (sealKey) return { sealKey }
  if (sealKeyFile !== undefined) return { sealKey: parseSealKey(await readFile(sealKeyFile, 'utf8')) }
  const file = join(dataDir, 'seal.key')
  try {
    return { sealKey: parseSealKey(await readFile(file, 'utf8')) }
  } catch (thrown) {
    if (codeOf(thrown) !== 'ENOENT') throw thrown
  }
  const text = generateSealKeyText()
  await writeFileAtomic(file, text, 0o600)
  return { sealKey: parseSealKey(text), createdFile: file }
}
