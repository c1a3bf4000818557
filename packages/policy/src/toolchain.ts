import { access, constants } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { PolicyError } from './error.ts'
import { runOpa, type Opa } from './opa.ts'

/** The release that `installOpa` brings and that the shipped bundles are compiled with. Other 1.x compile too. */
export const OPA_VERSION = '1.22.2'

export interface ToolchainOptions {
  /** `--opa FILE` */
  readonly flag?: string
  /** `PATH`, `PICKET_OPA`, `XDG_CACHE_HOME`, `HOME`. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Default: `$XDG_CACHE_HOME/picket`, else `~/.cache/picket`. */
  readonly cacheDir?: string
}

/** What to tell people whose machine has no OPA. */
export const OPA_MISSING_HINT = `no OPA found: "picket toolchain install" brings ${OPA_VERSION}`

/**
 * The OPA to use: named by the flag, named by `PICKET_OPA`, on `PATH`, in the cache folder, in this order. A named one must
 * work (`ERR_OPA_MISSING`, `ERR_OPA_VERSION`); one on `PATH` that does not is passed over. Undefined when there is none.
 */
export async function findOpa(options: ToolchainOptions): Promise<Opa | undefined> {
  const { flag, env } = options
  const named = flag ?? (env['PICKET_OPA'] || undefined)
  if (named !== undefined) return openNamed(named, flag === undefined ? 'PICKET_OPA' : '--opa')
  for (const path of [await findOnPath('opa', env['PATH']), cachedOpaPath(options)]) {
    if (path === undefined || !(await isExecutable(path))) continue
    const version = await askVersion(path).catch(() => undefined)
    if (version?.startsWith('1.')) return { path, version }
  }
  return undefined
}

/** `findOpa`, or `ERR_OPA_MISSING` with what to do about it. */
export async function requireOpa(options: ToolchainOptions): Promise<Opa> {
  const opa = await findOpa(options)
  if (!opa) throw new PolicyError('ERR_OPA_MISSING', OPA_MISSING_HINT)
  return opa
}

/** Where `installOpa` puts it. */
export function cachedOpaPath({ env, cacheDir }: ToolchainOptions): string {
  const base = cacheDir ?? join(env['XDG_CACHE_HOME'] || join(env['HOME'] || homedir(), '.cache'), 'picket')
  return join(base, `opa-${OPA_VERSION}`, 'opa')
}

/** The first executable of that name on a `PATH`. Relative entries are left out: they depend on where one stands. */
export async function findOnPath(name: string, path = ''): Promise<string | undefined> {
  for (const folder of path.split(delimiter)) {
    const candidate = join(folder, name)
    if (folder.startsWith('/') && (await isExecutable(candidate))) return candidate
  }
  return undefined
}

/** The version that a program says it is. Throws `ERR_OPA_FAILED` when it is no OPA. */
export async function askVersion(path: string): Promise<string> {
  const { exitCode, stdout } = await runOpa(path, ['version'])
  const version = /^Version:\s*(\d+\.\d+\.\d+\S*)/m.exec(stdout)?.[1]
  if (exitCode !== 0 || version === undefined) throw new PolicyError('ERR_OPA_FAILED', `${path} is not OPA`)
  return version
}

async function openNamed(path: string, where: string): Promise<Opa> {
  if (!(await isExecutable(path))) {
    throw new PolicyError('ERR_OPA_MISSING', `${where} names ${path}, which is not an executable file`)
  }
  const version = await askVersion(path)
  if (version.startsWith('1.')) return { path, version }
  throw new PolicyError('ERR_OPA_VERSION', `${path} is OPA ${version}; policies need 1.x, such as ${OPA_VERSION}`)
}

function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}
