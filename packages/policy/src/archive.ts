import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gunzip, gzipSync } from 'node:zlib'
import { packTar, unpackTar } from 'modern-tar'
import { codeOf } from '@picket/runtime'
import { PolicyError } from './error.ts'

/**
 * The container of a bundle: a gzipped tar. What comes out is a map of names to bytes and nothing else: links, devices,
 * absolute or climbing paths, two entries of one name and whatever exceeds a limit are refused before anything is read
 * from the contents. Nothing is ever written to disk from here.
 */
export const ARCHIVE_LIMITS = {
  compressedBytes: 16 * 1024 * 1024,
  uncompressedBytes: 64 * 1024 * 1024,
  entries: 1_000,
} as const

export type ArchiveLimits = { readonly [K in keyof typeof ARCHIVE_LIMITS]: number }

const inflate = promisify(gunzip)

/** gzipped tar → normalised name (`policy.wasm`, `a/b.rego`) → bytes. Throws `ERR_BUNDLE_…`. */
export async function readArchive(
  bytes: Uint8Array,
  isAllowed: (name: string) => boolean,
  limits: ArchiveLimits = ARCHIVE_LIMITS,
): Promise<Map<string, Uint8Array>> {
  const tar = await decompress(bytes, limits)
  const files = new Map<string, Uint8Array>()
  for (const { header, data } of await unpack(tar)) {
    if (header.type === 'directory') continue
    const name = normaliseName(header.name)
    if (header.type !== 'file' || name === undefined || !isAllowed(name) || !data) {
      throw new PolicyError('ERR_BUNDLE_ENTRY', `a policy bundle has no place for ${JSON.stringify(header.name)}`)
    }
    if (files.has(name)) throw new PolicyError('ERR_BUNDLE_ENTRY', `the bundle holds ${JSON.stringify(name)} twice`)
    if (files.size === limits.entries) {
      throw new PolicyError('ERR_BUNDLE_TOO_LARGE', `the bundle holds more than ${limits.entries} files`)
    }
    files.set(name, data)
  }
  return files
}

/** The same files give the same tar bytes on every machine: sorted, no times, no owners. */
export async function writeArchive(files: ReadonlyMap<string, Uint8Array>): Promise<Buffer> {
  const tar = await packTar(
    [...files]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, body]) => ({
        header: { name: `/${name}`, size: body.length, mode: 0o644, mtime: new Date(0), uid: 0, gid: 0 },
        body,
      })),
  )
  const gzip = gzipSync(tar, { level: 9 })
  gzip[9] = 255 // RFC 1952: "unknown" instead of this machine's operating system
  return gzip
}

export function sha256(...parts: readonly (Uint8Array | string)[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('hex')
}

async function decompress(bytes: Uint8Array, limits: ArchiveLimits): Promise<Buffer> {
  if (bytes.length > limits.compressedBytes) {
    throw new PolicyError('ERR_BUNDLE_TOO_LARGE', `the bundle is larger than ${limits.compressedBytes} bytes`)
  }
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) {
    throw new PolicyError('ERR_BUNDLE_FORMAT', 'not a policy bundle: it is not gzip data')
  }
  try {
    return await inflate(bytes, { maxOutputLength: limits.uncompressedBytes })
  } catch (cause) {
    const code = codeOf(cause)
    if (code === 'ERR_BUFFER_TOO_LARGE') {
      const message = `the bundle unpacks to more than ${limits.uncompressedBytes} bytes`
      throw new PolicyError('ERR_BUNDLE_TOO_LARGE', message, { cause })
    }
    if (code === 'Z_BUF_ERROR') throw new PolicyError('ERR_BUNDLE_TRUNCATED', 'the bundle is cut short', { cause })
    throw new PolicyError('ERR_BUNDLE_FORMAT', 'the bundle is damaged', { cause })
  }
}

async function unpack(tar: Buffer): ReturnType<typeof unpackTar> {
  try {
    return await unpackTar(tar, { strict: true })
  } catch (cause) {
    const truncated = cause instanceof Error && /truncated/i.test(cause.message)
    const code = truncated ? 'ERR_BUNDLE_TRUNCATED' : 'ERR_BUNDLE_FORMAT'
    throw new PolicyError(code, 'the bundle does not hold a whole tar archive', { cause })
  }
}

/** `/a/b`, `./a/b`, `a/b` → `a/b`; undefined for whatever could mean another place. */
function normaliseName(name: string): string | undefined {
  const relative = name.replace(/^(?:\.?\/)/, '')
  const segments = relative.split('/')
  const plain = segments.every((segment) => segment !== '' && segment !== '.' && segment !== '..')
  return plain && /^[\w./-]{1,255}$/.test(relative) ? relative : undefined
}
