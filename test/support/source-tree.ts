import { execFileSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')

export interface SourceFile {
  readonly path: string
  /** Without comments: rules judge code. */
  readonly code: string
  readonly imports: readonly string[]
}

export interface Manifest {
  readonly exports: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

export interface Tree {
  readonly sources: readonly SourceFile[]
  /** By package name, without the scope. */
  readonly manifests: ReadonlyMap<string, Manifest>
  /** Every file that git has or would take, with its text. */
  readonly tracked: ReadonlyMap<string, string>
}

/** The checkout: what git tracks, and what it would take if somebody added everything. */
export function readTracked(): Map<string, string> {
  const listing = ['ls-files', '-z', '--cached', '--others', '--exclude-standard']
  const paths = execFileSync('git', listing, { cwd: ROOT, encoding: 'utf8', maxBuffer: 2 ** 26 }).split('\0')
  const files = paths.filter((path) => path !== '' && statSync(join(ROOT, path), { throwIfNoEntry: false })?.isFile())
  return new Map(files.map((path) => [path, readFileSync(join(ROOT, path), 'latin1')]))
}

export function toTree(tracked: ReadonlyMap<string, string>): Tree {
  const entries = [...tracked]
  return {
    tracked,
    sources: entries
      .filter(([path]) => /^(packages|test)\/.*\.ts$/.test(path))
      .map(([path, text]) => toSource(path, text)),
    manifests: new Map(
      entries.flatMap(([path, text]) => {
        const name = /^packages\/([^/]+)\/package\.json$/.exec(path)?.[1]
        return name === undefined ? [] : [[name, JSON.parse(text) as Manifest]]
      }),
    ),
  }
}

/** `import … from 'x'`, `export … from 'x'`, `import 'x'`, and `import('x')` as a call or a type. */
const IMPORT = /^(?:import|export)\b(?:[\w\s{},*$]*\bfrom)?\s*['"]([^'"\n]+)['"]|\bimport\(\s*['"]([^'"\n]+)['"]/gm

function toSource(path: string, text: string): SourceFile {
  const code = text.replace(/\/\*[^]*?\*\/|(?<=^|\s)\/\/.*$/gm, '')
  const found = code.matchAll(IMPORT)
  return { path, code, imports: [...found].map(([, statement, call]) => statement ?? call!) }
}
