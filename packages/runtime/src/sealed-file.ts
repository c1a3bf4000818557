import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { writeFileAtomic } from './atomic-file.ts'
import { RuntimeError } from './runtime-error.ts'
import { Secret } from './logger.ts'

/**
 * Secrets at rest: AES-256-GCM with a fresh 96-bit nonce per write. The file's purpose is authenticated with the bytes
 * (associated data), so a sealed file of one kind cannot be put in the place of another. Layout: the text line
 * `picket-sealed-1`, nonce (12), tag (16), ciphertext.
 */
const MAGIC = Buffer.from('picket-sealed-1\n')
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** A 256-bit sealing key. */
export type SealKey = Secret<Buffer>

/** 64 hex digits or 44 base64 characters → a sealing key. Throws `ERR_SEAL_KEY` without repeating the text. */
export function parseSealKey(text: string): SealKey {
  const trimmed = text.trim()
  const key = /^[0-9a-fA-F]{64}$/.test(trimmed)
    ? Buffer.from(trimmed, 'hex')
    : /^[A-Za-z0-9+/]{43}=$/.test(trimmed)
      ? Buffer.from(trimmed, 'base64')
      : undefined
  if (!key) throw new RuntimeError('ERR_SEAL_KEY', 'the sealing key must be 32 bytes, as 64 hex digits or base64')
  return new Secret(key)
}

/** A new random sealing key in the hex form that `parseSealKey` takes, one line. */
export function generateSealKeyText(): string {
  return `${randomBytes(32).toString('hex')}\n`
}

export function seal(plain: Uint8Array, purpose: string, key: SealKey): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key.reveal(), nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(Buffer.from(purpose))
  const body = Buffer.concat([cipher.update(plain), cipher.final()])
  return Buffer.concat([MAGIC, nonce, cipher.getAuthTag(), body])
}

/** Throws `ERR_SEALED_FILE`: not a sealed file, another purpose, altered bytes or the wrong key. */
export function unseal(sealed: Uint8Array, purpose: string, key: SealKey): Buffer {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength)
  const bodyAt = MAGIC.length + NONCE_BYTES + TAG_BYTES
  if (bytes.length < bodyAt || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new RuntimeError('ERR_SEALED_FILE', 'not a sealed file')
  }
  const nonce = bytes.subarray(MAGIC.length, MAGIC.length + NONCE_BYTES)
  const decipher = createDecipheriv('aes-256-gcm', key.reveal(), nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(Buffer.from(purpose))
  decipher.setAuthTag(bytes.subarray(MAGIC.length + NONCE_BYTES, bodyAt))
  try {
    return Buffer.concat([decipher.update(bytes.subarray(bodyAt)), decipher.final()])
  } catch (cause) {
    throw new RuntimeError('ERR_SEALED_FILE', 'cannot be opened: wrong sealing key, or the file was altered', { cause })
  }
}

export async function writeSealedFile(path: string, plain: Uint8Array, purpose: string, key: SealKey): Promise<void> {
  await writeFileAtomic(path, seal(plain, purpose, key), 0o600)
}

/** Throws `ERR_SEALED_FILE` with the path; `ENOENT` passes through. */
export async function readSealedFile(path: string, purpose: string, key: SealKey): Promise<Buffer> {
  const sealed = await readFile(path)
  try {
    return unseal(sealed, purpose, key)
  } catch (cause) {
    throw new RuntimeError('ERR_SEALED_FILE', `${path}: ${(cause as Error).message}`, { cause })
  }
}

/** A sealing key derived from secret material for one purpose (SHA-256 over both, length-prefixed). */
export function deriveSealKey(secret: Uint8Array, purpose: string): SealKey {
  return new Secret(createHash('sha256').update(`picket ${purpose.length} ${purpose}\n`).update(secret).digest())
}
