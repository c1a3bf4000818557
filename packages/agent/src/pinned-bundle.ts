import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { parseTrustBundle, parseTrustBundlePem, type TrustBundle, type TrustDomain } from '@picket/identity'
import { messageOf } from '@picket/runtime'
import { AgentError } from './error.ts'

/** The bundle that an operator gave for the first contact. */
export interface PinnedBundle {
  readonly bundle: TrustBundle
  /** SHA-256 of the file, hex: state that descends from another pin is not trusted. */
  readonly pin: string
}

const MAX_BYTES = 1024 * 1024

/** PEM certificates or a SPIFFE JWK Set. Throws `ERR_TRUST_BUNDLE_FILE`. */
export async function loadPinnedBundle(file: string, trustDomain: TrustDomain): Promise<PinnedBundle> {
  try {
    const bytes = await readBounded(file)
    const text = bytes.toString('utf8')
    const bundle = text.trimStart().startsWith('{')
      ? parseTrustBundle(text, trustDomain)
      : parseTrustBundlePem(text, trustDomain)
    if (bundle.x509Authorities.length === 0) throw new RangeError('it holds no authority')
    return { bundle, pin: createHash('sha256').update(bytes).digest('hex') }
  } catch (cause) {
    throw new AgentError('ERR_TRUST_BUNDLE_FILE', `trustBundle ${file}: ${messageOf(cause)}`, { cause })
  }
}

async function readBounded(file: string): Promise<Buffer> {
  await using handle = await open(file, 'r')
  const { size } = await handle.stat()
  if (size > MAX_BYTES) throw new RangeError(`${size} bytes is too large for a trust bundle`)
  return await handle.readFile()
}
