import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, messageOf, parseSealKey, type SealKey } from '@picket/runtime'
import { ControlPlaneError } from './error.ts'
import type { ControlPlaneSettings } from './settings.ts'

/** The authority's sealing key: as given, from the file that is named, or from `DATA_DIR/seal.key`. */
export async function loadSealKey(
  settings: Pick<ControlPlaneSettings, 'dataDir' | 'sealKey' | 'sealKeyFile'>,
): Promise<SealKey> {
  if (settings.sealKey) return settings.sealKey
  const path = settings.sealKeyFile ?? join(settings.dataDir, 'seal.key')
  try {
    return parseSealKey(await readFile(path, 'utf8'))
  } catch (cause) {
    const missing = codeOf(cause) === 'ENOENT'
    const why = missing ? 'there is none; give PICKET_SEAL_KEY or --seal-key-file' : messageOf(cause)
    throw new ControlPlaneError('ERR_SEAL_KEY_MISSING', `the sealing key ${path}: ${why}`, { cause })
  }
}
