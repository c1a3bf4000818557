import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, mkdir, mkdtemp, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { messageOf } from '@picket/runtime'
import { PolicyError } from './error.ts'
import { firstLine, type Opa } from './opa.ts'
import { askVersion, cachedOpaPath, findOnPath, OPA_VERSION, type ToolchainOptions } from './toolchain.ts'

/**
 * The pinned OPA into the cache folder: built by Go, whose module proxy and checksum database vouch for the sources, or
 * the official release against a SHA-256 that was known before the download. A file that is not what it should be is
 * never executable and never has the final name.
 */
export interface InstallOptions extends ToolchainOptions {
  /** Default: Go when it is on `PATH`, else the release. */
  readonly from?: 'go' | 'release'
  /** `PICKET_OPA_BASE_URL`: a mirror with the layout `v1.22.2/opa_linux_amd64_static`. */
  readonly baseUrl?: string
  /** `PICKET_OPA_SHA256`: the release's checksum, when it is not in `checksums`. */
  readonly sha256?: string
  /** Asset name → SHA-256, hex. */
  readonly checksums?: Readonly<Record<string, string>>
  readonly platform?: { readonly os: string; readonly arch: string }
  /** A longer download is cut off. */
  readonly maxBytes?: number
  readonly signal?: AbortSignal
}

export const DEFAULT_BASE_URL = 'https://openpolicyagent.org/downloads'

/** Checksums that somebody has verified against the release page. None yet: a checksum must be given until then. */
export const RELEASE_CHECKSUMS: Readonly<Record<string, string>> = {}

const ASSETS: Readonly<Record<string, string>> = {
  'linux-x64': 'opa_linux_amd64_static',
  'linux-arm64': 'opa_linux_arm64_static',
  'darwin-x64': 'opa_darwin_amd64',
  'darwin-arm64': 'opa_darwin_arm64_static',
}

const MAX_RELEASE_BYTES = 256 * 1024 * 1024
const TIMEOUT_MS = 15 * 60_000

/** Installs unless it is there already. Throws `ERR_OPA_…`; then the cache folder is as before. */
export async function installOpa(options: InstallOptions): Promise<Opa> {
  const path = cachedOpaPath(options)
  const present = await askVersion(path).catch(() => undefined)
  if (present === OPA_VERSION) return { path, version: present }
  await mkdir(dirname(path), { recursive: true })
  const workplace = await mkdtemp(join(dirname(path), '.installing-'))
  try {
    const go = options.from === 'release' ? undefined : await findOnPath('go', options.env['PATH'])
    if (!go && options.from === 'go') throw new PolicyError('ERR_OPA_FAILED', 'there is no go on PATH')
    const made = go ? await buildWithGo(go, workplace, options) : await downloadRelease(workplace, options)
    const version = await askVersion(made)
    if (version !== OPA_VERSION) {
      throw new PolicyError('ERR_OPA_VERSION', `got OPA ${version} instead of ${OPA_VERSION}`)
    }
    await rename(made, path)
    return { path, version }
  } finally {
    await rm(workplace, { recursive: true, force: true })
  }
}

function buildWithGo(go: string, workplace: string, { env, signal }: InstallOptions): Promise<string> {
  const options = {
    env: { ...env, GOBIN: workplace, GOFLAGS: '', CGO_ENABLED: '0' },
    timeout: TIMEOUT_MS,
    maxBuffer: 16 * 1024 * 1024,
    ...(signal ? { signal } : {}),
  }
  return new Promise((resolve, reject) => {
    execFile(go, ['install', `github.com/open-policy-agent/opa@v${OPA_VERSION}`], options, (failure, _, stderr) => {
      if (!failure) return resolve(join(workplace, 'opa'))
      const why = firstLine(stderr) || messageOf(failure)
      reject(new PolicyError('ERR_OPA_FAILED', `go install failed: ${why}`, { cause: failure, retryable: true }))
    })
  })
}

async function downloadRelease(workplace: string, options: InstallOptions): Promise<string> {
  const { env, checksums = RELEASE_CHECKSUMS } = options
  const { os, arch } = options.platform ?? { os: process.platform, arch: process.arch }
  const asset = ASSETS[`${os}-${arch}`]
  if (asset === undefined) throw new PolicyError('ERR_OPA_PLATFORM', `there is no OPA release for ${os} on ${arch}`)
  const base = (options.baseUrl ?? (env['PICKET_OPA_BASE_URL'] || DEFAULT_BASE_URL)).replace(/\/+$/, '')
  const url = `${base}/v${OPA_VERSION}/${asset}`
  const expected = (options.sha256 ?? (env['PICKET_OPA_SHA256'] || checksums[asset]))?.toLowerCase()
  if (expected === undefined || !/^[0-9a-f]{64}$/.test(expected)) {
    const how = 'give it as --sha256 or PICKET_OPA_SHA256, or install Go'
    throw new PolicyError('ERR_OPA_CHECKSUM', `no SHA-256 is pinned for ${asset} of ${OPA_VERSION}: ${how}`)
  }
  const path = join(workplace, 'opa')
  const actual = await download(url, path, options)
  if (actual !== expected) {
    throw new PolicyError('ERR_OPA_CHECKSUM', `${url} has SHA-256 ${actual}, expected ${expected}`)
  }
  await chmod(path, 0o755)
  return path
}

/** Streams `url` to a new private file. Returns its SHA-256. */
async function download(
  url: string,
  path: string,
  { signal, maxBytes = MAX_RELEASE_BYTES }: InstallOptions,
): Promise<string> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS)
  const hash = createHash('sha256')
  const file = await open(path, 'wx', 0o600)
  try {
    const response = await fetch(url, { signal: signal ? AbortSignal.any([signal, timeout]) : timeout })
    if (!response.ok || !response.body) throw new Error(`the server answered ${response.status}`)
    let bytes = 0
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      bytes += chunk.length
      if (bytes > maxBytes) throw new Error(`it is larger than ${maxBytes} bytes`)
      hash.update(chunk)
      await file.writeFile(chunk)
    }
    await file.sync()
  } catch (cause) {
    throw new PolicyError('ERR_OPA_DOWNLOAD', `cannot download ${url}: ${messageOf(cause)}`, { cause, retryable: true })
  } finally {
    await file.close()
  }
  return hash.digest('hex')
}
