import { PolicyError } from './error.ts'
import type { InputReference } from './reference.ts'

/** What `buildBundle` notes about a bundle, under `metadata.picket` of OPA's own `.manifest`. */
export interface BundleMetadata {
  /** `opa 1.22.2`: what compiled the module. */
  readonly compiler: string
  /** Digest of the Rego and JSON sources, see `digestSources`; absent when the data was replaced afterwards. */
  readonly sources?: string
  /** Builtin functions that the module asks its host for. */
  readonly builtins: readonly string[]
  /** Entrypoint → which parts of the input its evaluation can read. */
  readonly input: Readonly<Record<string, readonly InputReference[]>>
}

/** A validated `.manifest` (OPA's bundle format, with what Picket needs made mandatory). */
export interface Manifest {
  readonly revision: string
  /** The parts of `data` that the bundle owns; never the whole. */
  readonly roots: readonly string[]
  readonly entrypoints: readonly string[]
  /** Undefined in bundles that Picket did not build. */
  readonly metadata: BundleMetadata | undefined
}

/** The module's name in the archive. */
export const MODULE_NAME = 'policy.wasm'

const NAME = /^[\w.-]+(?:\/[\w.-]+)*$/

/** Throws `ERR_BUNDLE_MANIFEST` with the first fault. */
export function parseManifest(bytes: Uint8Array): Manifest {
  const manifest = asObject(parseJson(bytes), 'it is not a JSON object')
  const { revision, roots, wasm, rego_version: regoVersion = 1, metadata = {} } = manifest
  if (typeof revision !== 'string' || !/^[\x21-\x7e]{1,128}$/.test(revision)) {
    throw fault('"revision" must be 1 to 128 visible ASCII characters')
  }
  if (regoVersion !== 1) throw fault('"rego_version" must be 1')
  const ownedRoots = parseRoots(roots)
  const entrypoints = parseEntrypoints(wasm)
  const outside = entrypoints.find((entrypoint) => !ownedRoots.some((root) => isWithin(entrypoint, root)))
  if (outside !== undefined) throw fault(`entrypoint "${outside}" is outside the bundle's roots`)
  const own = asObject(metadata, '"metadata" must be an object')['picket']
  return { revision, roots: ownedRoots, entrypoints, metadata: own === undefined ? undefined : parseMetadata(own) }
}

/** True when the data path `path` is `root` or below it. */
export function isWithin(path: string, root: string): boolean {
  return path === root || path.startsWith(`${root}/`)
}

function parseRoots(roots: unknown): string[] {
  const names = asStrings(roots, '"roots" must list what the bundle owns')
  if (names.length === 0) throw fault('"roots" is empty')
  for (const root of names) {
    if (!NAME.test(root)) throw fault(`${JSON.stringify(root)} is not a root: name packages, never the whole of data`)
    if (names.some((other) => other !== root && isWithin(root, other)))
      throw fault(`root "${root}" lies in another root`)
  }
  return unique(names, 'root')
}

function parseEntrypoints(wasm: unknown): string[] {
  if (!Array.isArray(wasm) || wasm.length === 0) throw fault('"wasm" names no entrypoint')
  const names = wasm.map((row: unknown) => {
    const { entrypoint, module } = asObject(row, 'each row of "wasm" must be an object')
    if (typeof entrypoint !== 'string' || !NAME.test(entrypoint)) throw fault('an entrypoint is not a path of names')
    if (module !== MODULE_NAME && module !== `/${MODULE_NAME}`) throw fault(`"module" must be "/${MODULE_NAME}"`)
    return entrypoint
  })
  return unique(names, 'entrypoint')
}

function parseMetadata(value: unknown): BundleMetadata {
  const { compiler, sources, builtins, input } = asObject(value, '"metadata.picket" must be an object')
  if (typeof compiler !== 'string') throw fault('"metadata.picket.compiler" must be a string')
  if (sources !== undefined && typeof sources !== 'string') throw fault('"metadata.picket.sources" must be a string')
  const references = Object.entries(asObject(input, '"metadata.picket.input" must be an object')).map(
    ([entrypoint, list]): [string, InputReference[]] => {
      if (!Array.isArray(list)) throw fault('"metadata.picket.input" must hold lists of paths')
      return [entrypoint, list.map((path) => asStrings(path, 'an input reference must be a list of strings'))]
    },
  )
  return {
    compiler,
    ...(sources === undefined ? {} : { sources }),
    builtins: asStrings(builtins, '"metadata.picket.builtins" must be a list of strings'),
    input: Object.fromEntries(references),
  }
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch (cause) {
    throw new PolicyError('ERR_BUNDLE_MANIFEST', 'the manifest is not JSON', { cause })
  }
}

function asObject(value: unknown, otherwise: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw fault(otherwise)
  return value as Record<string, unknown>
}

function asStrings(value: unknown, otherwise: string): string[] {
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) throw fault(otherwise)
  return value
}

function unique(names: string[], what: string): string[] {
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw fault(`${what} "${twice}" is there twice`)
  return names
}

function fault(message: string): PolicyError {
  return new PolicyError('ERR_BUNDLE_MANIFEST', `bad manifest: ${message}`)
}
