import { ARCHIVE_LIMITS, readArchive, sha256, type ArchiveLimits } from './archive.ts'
import { PolicyError } from './error.ts'
import { isWithin, MODULE_NAME, parseManifest, type Manifest } from './manifest.ts'

/**
 * A policy bundle: OPA's bundle format, parsed once and strictly. Whoever holds a `PolicyBundle` knows that its manifest
 * is sound, that roots are explicit (a bundle that claims all of `data` lets the compiler fold what is not there yet into
 * constants, which fails open) and that its data lies within them. Whether the module runs, the engine finds out.
 */
export interface PolicyBundle extends Manifest {
  /** SHA-256 of `bytes`, hex. */
  readonly digest: string
  /** The bundle as received. */
  readonly bytes: Uint8Array
  readonly wasm: Uint8Array
  readonly data: unknown
  /** `data` as written in the bundle: numbers beyond 2^53 survive only here. */
  readonly dataJson: Uint8Array
}

export interface BundleLimits extends ArchiveLimits {
  /** Rego data costs 14 times its JSON in memory, and loading it is superlinear. */
  readonly dataBytes: number
}

export const BUNDLE_LIMITS: BundleLimits = { ...ARCHIVE_LIMITS, dataBytes: 5 * 1024 * 1024 }

const MANIFEST_NAME = '.manifest'
const DATA_NAME = 'data.json'

/** The bytes of a `.tar.gz` bundle → `PolicyBundle`. Throws `PolicyError` (`ERR_BUNDLE_…`). */
export async function loadPolicyBundle(bytes: Uint8Array, limits: BundleLimits = BUNDLE_LIMITS): Promise<PolicyBundle> {
  const files = await readArchive(bytes, isBundleFile, limits)
  const manifestBytes = files.get(MANIFEST_NAME)
  if (!manifestBytes) throw new PolicyError('ERR_BUNDLE_MANIFEST', 'not a policy bundle: it has no .manifest')
  const manifest = parseManifest(manifestBytes)
  const wasm = files.get(MODULE_NAME)
  if (!wasm) throw new PolicyError('ERR_BUNDLE_WASM', `the bundle has no ${MODULE_NAME}: build it with -t wasm`)
  const dataJson = files.get(DATA_NAME) ?? Buffer.from('{}')
  return { ...manifest, digest: sha256(bytes), bytes, wasm, dataJson, data: parseData(dataJson, manifest, limits) }
}

/** The parts of a bundle that `writeArchive` takes, so that reading and writing agree on names. */
export function bundleFiles(manifest: object, wasm: Uint8Array, dataJson: Uint8Array): Map<string, Uint8Array> {
  return new Map([
    [MANIFEST_NAME, Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`)],
    [MODULE_NAME, wasm],
    [DATA_NAME, dataJson],
  ])
}

/** Rego sources may travel along for people to read; they are never run. */
function isBundleFile(name: string): boolean {
  return name === MANIFEST_NAME || name === MODULE_NAME || name === DATA_NAME || name.endsWith('.rego')
}

function parseData(bytes: Uint8Array, { roots }: Manifest, { dataBytes }: BundleLimits): unknown {
  if (bytes.length > dataBytes) {
    throw new PolicyError('ERR_BUNDLE_TOO_LARGE', `the bundle's data.json is larger than ${dataBytes} bytes`)
  }
  let data: unknown
  try {
    data = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch (cause) {
    throw new PolicyError('ERR_BUNDLE_DATA', "the bundle's data.json is not JSON", { cause })
  }
  if (!isObject(data)) throw new PolicyError('ERR_BUNDLE_DATA', "the bundle's data.json is not an object")
  const outside = pathOutside(data, roots, '')
  if (outside !== undefined) {
    throw new PolicyError('ERR_BUNDLE_DATA', `the bundle's data at "${outside}" is outside its roots`)
  }
  return data
}

/** The first path in `data` that no root covers. */
function pathOutside(data: Record<string, unknown>, roots: readonly string[], above: string): string | undefined {
  for (const [key, value] of Object.entries(data)) {
    const name = encodeURIComponent(key) // a slash in a key is no path separator
    const path = above === '' ? name : `${above}/${name}`
    if (roots.some((root) => isWithin(path, root))) continue
    const leadsToRoot = roots.some((root) => isWithin(root, path))
    const outside = leadsToRoot && isObject(value) ? pathOutside(value, roots, path) : path
    if (outside !== undefined) return outside
  }
  return undefined
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
