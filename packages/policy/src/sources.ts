import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { sha256 } from './archive.ts'
import { PolicyError } from './error.ts'

/**
 * The files that a bundle is made of, read once: what is compiled is exactly what is digested, and the digest in a
 * bundle tells on any machine, without a compiler, whether the bundle still belongs to its sources.
 */
export type PolicySources = ReadonlyMap<string, Buffer>

const MAX_FILES = 1_000
const MAX_BYTES = 32 * 1024 * 1024
/** Beside dot-folders: what lies about in a policy folder without belonging to the policy. */
const LEFT_OUT = new Set(['examples', 'node_modules'])
/** Types the input, so that a misspelt field is a compile error instead of an `undefined`. */
export const SCHEMA_NAME = 'input.schema.json'

/** Rego but tests, and `data.json` files, by path relative to `directory`, sorted. Throws `ERR_POLICY_COMPILE`. */
export async function readSources(directory: string): Promise<PolicySources> {
  const sources = new Map<string, Buffer>()
  let bytes = 0
  for (const name of (await listFiles(directory, '')).sort()) {
    if (/(^|\/)data\.ya?ml$/.test(name)) throw refusal(`${name}: write data as data.json`)
    if (!isSource(name)) continue
    const content = await readFile(join(directory, name))
    bytes += content.length
    if (bytes > MAX_BYTES || sources.size === MAX_FILES) throw refusal(`${directory} holds too much for a policy`)
    sources.set(name, content)
  }
  if (![...sources.keys()].some((name) => name.endsWith('.rego'))) throw refusal(`there is no policy in ${directory}`)
  return sources
}

/** SHA-256 over names and contents, hex. */
export function digestSources(sources: PolicySources): string {
  return sha256(...[...sources].flatMap(([name, content]) => [`${name.length} ${name} ${content.length}\n`, content]))
}

/** Puts the sources into `directory`. */
export async function writeSources(sources: PolicySources, directory: string): Promise<void> {
  for (const [name, content] of sources) {
    const path = join(directory, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, content)
  }
}

function isSource(name: string): boolean {
  const isPolicy = name.endsWith('.rego') && !name.endsWith('_test.rego')
  return isPolicy || name === SCHEMA_NAME || /(^|\/)data\.json$/.test(name)
}

/** Links to files are followed (Kubernetes mounts are made of them), links to folders are not. */
async function listFiles(directory: string, below: string): Promise<string[]> {
  const names: string[] = []
  for (const entry of await readdir(join(directory, below), { withFileTypes: true })) {
    if (entry.name.startsWith('.') || LEFT_OUT.has(entry.name)) continue
    const name = below === '' ? entry.name : `${below}/${entry.name}`
    if (entry.isDirectory()) names.push(...(await listFiles(directory, name)))
    else if (entry.isFile() || (await stat(join(directory, name))).isFile()) names.push(name)
  }
  return names
}

function refusal(message: string): PolicyError {
  return new PolicyError('ERR_POLICY_COMPILE', message)
}
