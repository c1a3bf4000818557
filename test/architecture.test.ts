/**
 * The house rules that a machine can hold (docs/architecture.md draws them). Each rule is a function from the source
 * tree to its violations, beside a planted violation that it must find: a rule that cannot fail protects nothing.
 */
import assert from 'node:assert/strict'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { readTracked, toTree, type SourceFile, type Tree } from './support/source-tree.ts'

/** A package imports only packages of lower layers, so siblings never import each other. */
const LAYERS: Readonly<Record<string, number>> = {
  runtime: 0,
  identity: 1,
  http: 1,
  ca: 2,
  policy: 2,
  mtls: 2,
  rpc: 3,
  agent: 4,
  'control-plane': 5,
  sidecar: 5,
  demo: 5,
  cli: 6,
}

/** Not even through a third package. */
const FORBIDDEN_EDGES: readonly (readonly [from: string, to: string])[] = [
  ['sidecar', 'ca'],
  ['agent', 'ca'],
  ['policy', 'mtls'],
  ['ca', 'rpc'],
  ['http', 'identity'],
  ...Object.keys(LAYERS).flatMap((name) => (name === 'cli' ? [] : [[name, 'cli'] as const])),
]

/** Who may import a library: one file, or one package, and that package's tests. What is not here, nobody may. */
const VENDORS: Readonly<Record<string, string>> = {
  'node-forge': 'packages/identity/src/der.ts',
  '@open-policy-agent/opa-wasm': 'packages/policy/src/engine.ts',
  'modern-tar': 'packages/policy/src/archive.ts',
  '@grpc/grpc-js': 'packages/rpc/',
  '@grpc/proto-loader': 'packages/rpc/',
  'grpc-health-check': 'packages/rpc/',
  koffi: 'packages/sidecar/src/workload/peer-credentials.ts',
  commander: 'packages/cli/',
  pino: 'packages/cli/',
  yaml: 'packages/cli/',
  'node:sqlite': 'packages/control-plane/src/store/',
}

const TEST_LIBRARIES = new Set(['fast-check', 'jose'])

const TOP_LEVEL = new Set(
  [
    'package.json package-lock.json tsconfig.json packages proto policies certs-dev test docs deploy',
    'README.md LICENSE SECURITY.md CHANGELOG.md',
    '.ci .gitignore .gitattributes .npmrc .editorconfig .oxlintrc.json .prettierrc.json .prettierignore',
  ].flatMap((names) => names.split(' ')),
)

const MOST_CODE_LINES = 300

interface Rule {
  readonly sentence: string
  readonly violations: (tree: Tree) => string[]
  /** Files that break the rule, by path. */
  readonly planted: Readonly<Record<string, string>>
}

const packageOf = (path: string): string | undefined => /^packages\/([^/]+)\//.exec(path)?.[1]
const importedPackage = (specifier: string): string | undefined => /^@picket\/([^/]+)/.exec(specifier)?.[1]
const isTest = (path: string): boolean => path.startsWith('test/') || path.endsWith('.test.ts')
const isGenerated = (path: string): boolean => path.includes('/generated/')

/** Fakes and their users: tests, the files named `testing…`, and the demo, which plays the attacker with them. */
const mayUseFakes = (path: string): boolean =>
  isTest(path) || /\/testing(-[a-z-]+)?\.ts$/.test(path) || path.startsWith('packages/demo/')

/** Files in which a pattern occurs, with the match. */
function matches(files: readonly SourceFile[], pattern: RegExp): string[] {
  return files.flatMap(({ path, code }) => [...code.matchAll(pattern)].map(([match]) => `${path}: ${match.trim()}`))
}

/** Every import of every source file, one line each, for which `isWrong`. */
function imports(tree: Tree, isWrong: (specifier: string, path: string) => boolean): string[] {
  return tree.sources.flatMap(({ path, imports: specifiers }) =>
    specifiers.filter((specifier) => isWrong(specifier, path)).map((specifier) => `${path} imports ${specifier}`),
  )
}

/** Packages that a package's own code reaches, through others too. */
function reachable(tree: Tree, from: string, seen = new Set<string>()): Set<string> {
  for (const { path, imports: specifiers } of tree.sources) {
    if (packageOf(path) !== from || isTest(path)) continue
    for (const name of specifiers.map(importedPackage)) {
      if (name === undefined || seen.has(name)) continue
      seen.add(name)
      reachable(tree, name, seen)
    }
  }
  return seen
}

/** `fast-check/lib/x` → `fast-check`: the library's own name. */
function libraryOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}

const RULES: readonly Rule[] = [
  {
    sentence: 'every package has its layer and every layer its package',
    violations: ({ manifests }) => [
      ...[...manifests.keys()].filter((name) => !(name in LAYERS)).map((name) => `packages/${name} has no layer`),
      ...Object.keys(LAYERS)
        .filter((name) => !manifests.has(name))
        .map((name) => `${name} is not in packages/`),
    ],
    planted: { 'packages/helpers/package.json': '{"exports":{".":"./src/index.ts"}}' },
  },
  {
    sentence: 'a package imports only packages of lower layers',
    violations: (tree) =>
      imports(tree, (specifier, path) => {
        const [from, to] = [packageOf(path), importedPackage(specifier)]
        return from !== undefined && to !== undefined && from !== to && !(LAYERS[to]! < LAYERS[from]!)
      }),
    planted: { 'packages/mtls/src/planted.ts': "import { x } from '@picket/policy'" },
  },
  {
    sentence: 'no package reaches one that it must not see, not even through a third',
    violations: (tree) =>
      FORBIDDEN_EDGES.filter(([from, to]) => reachable(tree, from).has(to)).map(
        ([from, to]) => `${from} reaches ${to}`,
      ),
    planted: {
      'packages/sidecar/src/planted.ts': "import { x } from '@picket/rpc'",
      'packages/rpc/src/planted.ts': "import { x } from '@picket/ca'",
    },
  },
  {
    sentence: 'relative imports stay inside their package',
    violations: (tree) =>
      imports(tree, (specifier, path) => {
        const from = packageOf(path)
        return from !== undefined && specifier.startsWith('.') && packageOf(join(path, '..', specifier)) !== from
      }),
    planted: { 'packages/sidecar/src/planted.ts': "export { x } from '../../ca/src/signer.ts'" },
  },
  {
    sentence: 'each library has one importer',
    violations: (tree) =>
      imports(tree, (specifier, path) => {
        if (specifier.startsWith('.') || importedPackage(specifier)) return false
        const place = VENDORS[libraryOf(specifier)]
        if (place !== undefined)
          return !(path.startsWith(place) || (isTest(path) && packageOf(path) === packageOf(place)))
        return !specifier.startsWith('node:') && !(TEST_LIBRARIES.has(specifier) && isTest(path))
      }),
    planted: { 'packages/identity/src/planted.ts': "import forge from 'node-forge'" },
  },
  {
    sentence: 'a package declares the libraries that it imports, in exact versions, and no others',
    violations: (tree) =>
      [...tree.manifests].flatMap(([name, manifest]) => {
        const dependencies = { ...manifest.dependencies, ...manifest.optionalDependencies }
        const own = tree.sources.filter(({ path }) => packageOf(path) === name && !isTest(path))
        const used = new Set(
          own
            .flatMap((file) => file.imports)
            .map(libraryOf)
            .filter((library) => library in VENDORS),
        )
        used.delete('node:sqlite')
        return [
          ...[...used]
            .filter((library) => !(library in dependencies))
            .map((library) => `${name} uses ${library} undeclared`),
          ...Object.keys(dependencies)
            .filter((library) => !used.has(library))
            .map((library) => `${name}: ${library} unused`),
          ...Object.values(dependencies)
            .filter((version) => !/^\d/.test(version))
            .map((version) => `${name}: ${version}`),
        ]
      }),
    planted: { 'packages/runtime/src/planted.ts': "import pino from 'pino'" },
  },
  {
    sentence: 'packages export their index and their fakes, nothing else',
    violations: (tree) => [
      ...[...tree.manifests].flatMap(([name, { exports }]) =>
        Object.entries(exports)
          .filter(([key, file]) => file !== { '.': './src/index.ts', './testing': './src/testing.ts' }[key])
          .map(([key, file]) => `${name} exports ${key} as ${file}`),
      ),
      ...imports(tree, (specifier) => /^@picket\/[^/]+\/(?!testing$)/.test(specifier)),
    ],
    planted: { 'packages/sidecar/src/planted.ts': "import { x } from '@picket/http/src/limits.ts'" },
  },
  {
    sentence: 'fakes are imported by tests and the demo only',
    violations: (tree) => imports(tree, (specifier, path) => specifier.endsWith('/testing') && !mayUseFakes(path)),
    planted: { 'packages/sidecar/src/planted.ts': "import { x } from '@picket/runtime/testing'" },
  },
  {
    sentence: `no file has more than ${MOST_CODE_LINES} lines of code`,
    violations: ({ sources }) =>
      sources
        .map(({ path, code }) => ({ path, lines: code.split('\n').filter((line) => line.trim() !== '').length }))
        .filter(({ path, lines }) => lines > MOST_CODE_LINES && !isGenerated(path))
        .map(({ path, lines }) => `${path} has ${lines}`),
    planted: { 'packages/cli/src/planted.ts': 'f()\n'.repeat(MOST_CODE_LINES + 1) },
  },
  {
    sentence: 'exports have names, and an index lists them',
    violations: ({ sources }) =>
      matches(sources, /^export default\b.*|^export\b[^'"\n]*\bas default\b.*|^export \*.*/gm),
    planted: { 'packages/cli/src/planted.ts': 'export default 1' },
  },
  {
    sentence: 'time and randomness are parameters outside runtime',
    violations: ({ sources }) =>
      matches(
        sources.filter(({ path }) => !path.startsWith('packages/runtime/') && !mayUseFakes(path)),
        /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bset(?:Timeout|Interval)\(|\bperformance\.now\b|'(?:node:)?timers\b.*'|\brandom(?:Bytes|UUID|Int|FillSync|Fill)\(|\bgetRandomValues\b/g,
      ),
    planted: { 'packages/ca/src/planted.ts': 'const serial = randomBytes(16)' },
  },
  {
    sentence: 'environment, arguments, exit and console belong to the composition root',
    violations: ({ sources }) =>
      matches(
        sources.filter(
          ({ path }) => path.startsWith('packages/') && !/^packages\/(cli|demo)\//.test(path) && !isTest(path),
        ),
        /\bprocess\.(?:env|argv|exit|stdout|stderr)\b|\bconsole\.\w+/g,
      ),
    planted: { 'packages/sidecar/src/planted.ts': 'if (process.env.DEBUG) x()' },
  },
  {
    sentence: 'files are named in kebab-case by a noun of the subject',
    violations: ({ sources }) =>
      sources
        .map(({ path }) => path)
        .filter((path) => !isGenerated(path))
        .filter(
          (path) =>
            !/^[a-z0-9]+(-[a-z0-9]+)*(\.test)?\.ts$/.test(basename(path)) ||
            /\b(utils?|helpers?|common|manager|misc)\b/.test(path),
        ),
    planted: { 'packages/cli/src/string-utils.ts': '' },
  },
  {
    sentence: 'the top level holds the fixed names only',
    violations: ({ tracked }) =>
      [...new Set([...tracked.keys()].map((path) => path.split('/')[0]!))].filter((name) => !TOP_LEVEL.has(name)),
    planted: { 'scripts/planted.sh': '' },
  },
  {
    sentence: 'no private key and no key store is tracked',
    violations: ({ tracked }) =>
      [...tracked]
        .filter(
          ([path, text]) =>
            /\.(key|p12|pfx|jks)$/.test(path) || /-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{16}/.test(text),
        )
        .map(([path]) => path),
    planted: { 'test/support/planted.txt': `-----BEGIN ${'PRIVATE KEY'}-----\n${'A'.repeat(64)}\n` },
  },
  {
    sentence: 'no registry address is in the lock file or the npm configuration',
    violations: ({ tracked }) =>
      ['package-lock.json', '.npmrc'].flatMap((path) =>
        [...(tracked.get(path) ?? '').matchAll(/"resolved": "(?:git|http).*|^.*registry\s*=.*$/gm)].map(
          ([line]) => `${path}: ${line}`,
        ),
      ),
    planted: { 'package-lock.json': `"resolved": "${'https'}://registry.example/x.tgz"` },
  },
]

const tree = toTree(readTracked())

for (const { sentence, violations, planted } of RULES) {
  test(sentence, () => assert.deepEqual(violations(tree), []))
  test(`${sentence}: a planted violation is found`, () => {
    const found = violations(toTree(new Map([...readTracked(), ...Object.entries(planted)])))
    assert.ok(found.length > violations(tree).length, 'the planted violation was overlooked')
  })
}

test('a comment is not code; a type import and an import call are imports', () => {
  const call = 'import'
  const lines = [
    "// import a from 'a'",
    '/* setTimeout(1) */',
    'import type {',
    '  B,',
    "} from 'b'",
    `await ${call}('c')`,
  ]
  const { sources } = toTree(new Map([['packages/x/src/y.ts', lines.join('\n')]]))
  assert.deepEqual(sources[0]?.imports, ['b', 'c'])
  assert.doesNotMatch(sources[0]?.code ?? '', /setTimeout/)
})
