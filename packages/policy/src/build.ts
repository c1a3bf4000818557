import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readArchive, sha256, writeArchive } from './archive.ts'
import { bundleFiles, loadPolicyBundle, type PolicyBundle } from './bundle.ts'
import { createPolicyEngine, DECISION_ENTRYPOINT, EXPLANATION_ENTRYPOINT, requiredBuiltins } from './engine.ts'
import { PolicyError } from './error.ts'
import { readRuleInput, type RuleInput } from './input-references.ts'
import { lintSyntax } from './lint.ts'
import { isWithin, MODULE_NAME, type BundleMetadata } from './manifest.ts'
import { compileError, firstLine, parseErrors, runOpa, runOpaForJson, type Opa } from './opa.ts'
import { digestSources, readSources, SCHEMA_NAME, writeSources, type PolicySources } from './sources.ts'

export interface BuildOptions {
  readonly opa: Opa
  /** Default: the start of the sources' digest, so that equal sources have equal revisions. */
  readonly revision?: string
  readonly entrypoint?: string
  /** Left out of the bundle when the policy has no such rule. */
  readonly explanation?: string
  /** Further rules to publish, for tools. */
  readonly entrypoints?: readonly string[]
}

interface Compiled {
  readonly wasm: Uint8Array
  readonly dataJson: Uint8Array
}

/**
 * A folder of Rego and data → a bundle that has passed everything that a sidecar asks of it. Compiled without
 * optimisation: it folds `data` into constants, which fails open when data comes later, and gains nothing measurable on
 * policies of this kind. Throws `PolicyError`; faults in the Rego as `ERR_POLICY_COMPILE` with `locations`.
 */
export async function buildBundle(directory: string, options: BuildOptions): Promise<PolicyBundle> {
  const { opa, entrypoint = DECISION_ENTRYPOINT, explanation = EXPLANATION_ENTRYPOINT } = options
  const sources = await readSources(directory)
  const workplace = await mkdtemp(join(tmpdir(), 'picket-policy-'))
  try {
    await writeSources(sources, workplace)
    await checkSources(opa, sources, workplace)
    const rules = await readRules(opa, [entrypoint, ...(options.entrypoints ?? [])], explanation, workplace)
    const compiled = await compile(opa, [...rules.keys()], workplace)
    const digest = digestSources(sources)
    const metadata: BundleMetadata = {
      compiler: `opa ${opa.version}`,
      sources: digest,
      builtins: await requiredBuiltins(compiled.wasm),
      input: Object.fromEntries([...rules].map(([name, { references }]) => [name, references])),
    }
    const roots = await findRoots(opa, compiled.dataJson, workplace)
    const bundle = await packBundle(options.revision ?? digest.slice(0, 12), roots, metadata, compiled)
    using _tried = await createPolicyEngine(bundle, { entrypoint, explanation })
    return bundle
  } finally {
    await rm(workplace, { recursive: true, force: true })
  }
}

/**
 * A new bundle with the module of another and other data: what a policy decides changes without a compiler. The data must
 * stay within the roots of the original. Throws `PolicyError`.
 */
export async function replaceBundleData(
  original: Uint8Array,
  data: unknown,
  options: { readonly revision?: string } = {},
): Promise<Buffer> {
  const { wasm, roots, metadata, entrypoints } = await loadPolicyBundle(original)
  const dataJson = Buffer.from(JSON.stringify(data))
  const { sources: _stale, ...kept } = metadata ?? {
    compiler: 'unknown',
    builtins: [],
    input: wholeInputs(entrypoints),
  }
  const revision = options.revision ?? sha256(wasm, dataJson).slice(0, 12)
  const bundle = await packBundle(revision, roots, kept, { wasm, dataJson }, entrypoints)
  return Buffer.from(bundle.bytes)
}

/** Syntax and types, then the traps that compile. */
async function checkSources(opa: Opa, sources: PolicySources, directory: string): Promise<void> {
  const schema = sources.has(SCHEMA_NAME) ? ['--schema', SCHEMA_NAME] : []
  const { exitCode, stdout, stderr } = await runOpa(
    opa.path,
    ['check', '--format', 'json', ...schema, '--bundle', '.'],
    directory,
  )
  if (exitCode !== 0) throw compileError(parseErrors(stdout || stderr))
  const policies = [...sources.keys()].filter((name) => name.endsWith('.rego'))
  const faults = await Promise.all(
    policies.map(async (name) => {
      const parse = ['parse', '--format', 'json', '--json-include', 'locations,-comments', name]
      return lintSyntax(name, await runOpaForJson(opa, parse, directory))
    }),
  )
  if (faults.flat().length > 0) throw compileError(faults.flat())
}

/** The rules to publish, with what each reads. The explanation is published if there is one. */
async function readRules(
  opa: Opa,
  required: readonly string[],
  explanation: string,
  directory: string,
): Promise<Map<string, RuleInput>> {
  const rules = new Map<string, RuleInput>()
  for (const name of [...required, explanation]) {
    const rule = await readRuleInput(opa, name, directory)
    if (rule.exists) rules.set(name, rule)
    else if (name !== explanation) throw new PolicyError('ERR_POLICY_ENTRYPOINT', `the policy has no rule "${name}"`)
  }
  return rules
}

async function compile(opa: Opa, entrypoints: readonly string[], directory: string): Promise<Compiled> {
  const output = '.compiled.tar.gz'
  const flags = ['--target', 'wasm', '--optimize', '0', '--prune-unused', '--output', output]
  const asked = entrypoints.flatMap((name) => ['--entrypoint', name])
  const { exitCode, stdout, stderr } = await runOpa(opa.path, ['build', ...flags, ...asked, '--bundle', '.'], directory)
  if (exitCode !== 0) throw new PolicyError('ERR_POLICY_COMPILE', firstLine(stderr || stdout))
  const files = await readArchive(await readFile(join(directory, output)), () => true)
  const wasm = files.get(MODULE_NAME)
  if (!wasm) throw new PolicyError('ERR_OPA_FAILED', 'opa build gave no Wasm module')
  return { wasm, dataJson: files.get('data.json') ?? Buffer.from('{}') }
}

/** Packages, and the top-level names of the data: whatever the bundle brings and nothing beyond. */
async function findRoots(opa: Opa, dataJson: Uint8Array, directory: string): Promise<string[]> {
  const output = await runOpaForJson(opa, ['inspect', '--format', 'json', '.'], directory)
  const { namespaces } = output as { namespaces: Readonly<Record<string, readonly string[]>> }
  const packages = Object.entries(namespaces)
    .filter(([, files]) => files.some((name) => name.endsWith('.rego')))
    .map(([name]) => toPath(name))
  const names = [...new Set([...packages, ...Object.keys(JSON.parse(Buffer.from(dataJson).toString()) as object)])]
  return names.filter((name) => !names.some((other) => other !== name && isWithin(name, other))).sort()
}

/** `data.a["b-c"]` → `a/b-c` */
function toPath(reference: string): string {
  return [...reference.matchAll(/\.(\w+)|\["([^"]*)"\]/g)].map(([, plain, quoted]) => plain ?? quoted).join('/')
}

async function packBundle(
  revision: string,
  roots: readonly string[],
  metadata: BundleMetadata,
  { wasm, dataJson }: Compiled,
  entrypoints: readonly string[] = Object.keys(metadata.input),
): Promise<PolicyBundle> {
  const rows = entrypoints.map((entrypoint) => ({ entrypoint, module: `/${MODULE_NAME}` }))
  const manifest = { revision, roots, wasm: rows, rego_version: 1, metadata: { picket: metadata } }
  return loadPolicyBundle(await writeArchive(bundleFiles(manifest, wasm, dataJson)))
}

function wholeInputs(entrypoints: readonly string[]): BundleMetadata['input'] {
  return Object.fromEntries(entrypoints.map((name) => [name, [[]]]))
}
