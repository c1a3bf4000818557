import { readFile } from 'node:fs/promises'
import { codeOf } from '@picket/runtime'

/** One line of a sidecar's access log. Fields that a kind of record does not have are absent. */
export interface AccessRecord {
  readonly time: string
  readonly kind: 'request' | 'handshake' | 'malformed' | 'gap'
  readonly direction: 'inbound' | 'outbound'
  readonly service: string
  readonly caller?: string
  readonly method?: string
  readonly path?: string
  readonly status?: number
  readonly decision?: 'allow' | 'deny'
  readonly reason?: string
  readonly detail?: string
  readonly decision_id?: string
  readonly revision?: string
  readonly duration_us?: number
  readonly flag?: string
}

/** The whole log so far; a line that is still being written is left out. */
export async function readAccessLog(file: string): Promise<AccessRecord[]> {
  let text = ''
  try {
    text = await readFile(file, 'utf8')
  } catch (thrown) {
    if (codeOf(thrown) !== 'ENOENT') throw thrown
  }
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as AccessRecord)
}
