import { createHash } from 'node:crypto'
import { open, stat } from 'node:fs/promises'
import {
  createBundleSource,
  parseCertificatesPem,
  parsePrivateKeyPem,
  parseTrustBundle,
  parseTrustBundlePem,
  parseX509Svid,
  verifyX509Svid,
  type BundleSet,
  type BundleSource,
  type TrustDomain,
  type X509Svid,
} from '@picket/identity'
import { BUNDLE_LIMITS, createPolicyStore, type PolicyStore } from '@picket/policy'
import type { Endpoints } from '@picket/rpc'
import {
  createTasks,
  createWatch,
  messageOf,
  type Clock,
  type Logger,
  type Metrics,
  type WatchSource,
} from '@picket/runtime'
import type { FileSource } from './config.ts'
import { SidecarError } from './error.ts'
import { watchFiles } from './file-watch.ts'
import type { SidecarInputs } from './inputs.ts'

export interface FileInputsDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

/**
 * A sidecar without a control plane: SVID, key, trust bundle and policy from files, taken over together when one of them
 * changes. A set that does not fit together (a key of another certificate, an SVID that the bundle does not vouch for, a
 * policy that does not start) changes nothing and is told once. Throws `ERR_INPUT_FILE` when the first set is not good.
 */
export async function openFileInputs(
  { clock, logger, metrics }: FileInputsDeps,
  source: FileSource,
  signal: AbortSignal,
): Promise<SidecarInputs & AsyncDisposable> {
  const policy = createPolicyStore()
  const files = await readInputFiles(source)
  const first = parseInputs(source, files, clock)
  await activatePolicy(policy, source, files)
  const svid = createWatch(first.svid)
  const bundles = createWatch<BundleSource>(first.bundles)
  const endpoints = createWatch<Endpoints>({ services: [] })
  const reloads = createReloader({ clock, logger, metrics }, source, { svid, bundles, policy }, files.digest)
  const tasks = createTasks(signal)
  tasks.start('input files', (ending) => watchFiles(filesOf(source), clock, ending, reloads))
  return { svid, bundles, policy, endpoints, [Symbol.asyncDispose]: () => tasks[Symbol.asyncDispose]() }
}

interface Targets {
  readonly svid: WatchSource<X509Svid>
  readonly bundles: WatchSource<BundleSource>
  readonly policy: PolicyStore
}

function createReloader(
  { clock, logger, metrics }: FileInputsDeps,
  source: FileSource,
  { svid, bundles, policy }: Targets,
  firstDigest: string,
): () => Promise<void> {
  const help = 'Times that changed input files were read, by result'
  const taken = metrics.counter('picket_input_reloads_total', help, { result: 'taken' })
  const refused = metrics.counter('picket_input_reloads_total', help, { result: 'refused' })
  let digest = firstDigest
  let lastProblem = ''

  return async () => {
    try {
      const files = await readInputFiles(source)
      if (files.digest === digest) return
      const next = parseInputs(source, files, clock)
      await activatePolicy(policy, source, files)
      bundles.set(next.bundles)
      svid.set(next.svid)
      digest = files.digest
      lastProblem = ''
      taken.add()
      const { id, notAfter } = next.svid
      logger.info('input files taken over', { id: id.uri, notAfter, policy: policy.engine.value?.revision })
    } catch (thrown) {
      const problem = messageOf(thrown)
      if (problem === lastProblem) return
      lastProblem = problem
      refused.add()
      logger.warn('input files refused, the last good ones stay in force', { problem })
    }
  }
}

interface InputFiles {
  readonly chainPem: Buffer
  readonly keyPem: Buffer
  readonly trustBundle: Buffer
  readonly policy: Buffer | undefined
  /** Of all bytes. */
  readonly digest: string
}

function filesOf({ svidFile, keyFile, trustBundleFile, policyFile }: FileSource): readonly string[] {
  return [svidFile, keyFile, trustBundleFile, ...(policyFile === undefined ? [] : [policyFile])]
}

const PEM_BYTES = 1024 * 1024

async function readInputFiles(source: FileSource): Promise<InputFiles> {
  const { svidFile, keyFile, trustBundleFile, policyFile } = source
  const [chainPem, keyPem, trustBundle, policy] = await Promise.all([
    readBounded('svid', svidFile, PEM_BYTES),
    readBounded('key', keyFile, PEM_BYTES),
    readBounded('trustBundle', trustBundleFile, PEM_BYTES),
    policyFile === undefined ? undefined : readBounded('policy', policyFile, BUNDLE_LIMITS.compressedBytes),
  ])
  const digest = createHash('sha256')
  for (const bytes of [chainPem, keyPem, trustBundle, policy ?? '']) digest.update(`${bytes.length} `).update(bytes)
  return { chainPem, keyPem, trustBundle, policy, digest: digest.digest('hex') }
}

interface Identity {
  readonly svid: X509Svid
  readonly bundles: BundleSet
}

function parseInputs(source: FileSource, { chainPem, keyPem, trustBundle }: InputFiles, clock: Clock): Identity {
  const { svidFile, trustBundleFile } = source
  const svid = within('svid', svidFile, () =>
    parseX509Svid(parseCertificatesPem(chainPem.toString('utf8')), parsePrivateKeyPem(keyPem.toString('utf8'))),
  )
  const trustDomain = source.trustDomain ?? svid.id.trustDomain
  if (svid.id.trustDomain.name !== trustDomain.name) {
    throw refused('svid', svidFile, `${svid.id.uri} is not of the trust domain ${trustDomain.name}`)
  }
  const bundles = within('trustBundle', trustBundleFile, () => parseBundle(trustBundle.toString('utf8'), trustDomain))
  const verdict = verifyX509Svid(svid.chain, bundles, new Date(clock.now()))
  if (verdict.kind === 'refused') throw refused('svid', svidFile, verdict.message)
  return { svid, bundles }
}

async function activatePolicy(store: PolicyStore, { policyFile }: FileSource, { policy }: InputFiles): Promise<void> {
  if (!policy || policyFile === undefined) return
  try {
    await store.activate(policy)
  } catch (cause) {
    throw refused('policy', policyFile, messageOf(cause), cause)
  }
}

function parseBundle(text: string, trustDomain: TrustDomain): BundleSet {
  const isJson = text.trimStart().startsWith('{')
  return createBundleSource([isJson ? parseTrustBundle(text, trustDomain) : parseTrustBundlePem(text, trustDomain)])
}

async function readBounded(setting: string, file: string, limit: number): Promise<Buffer> {
  try {
    const { size } = await stat(file)
    if (size > limit) throw new RangeError(`${size} bytes are too many, ${limit} is the limit`)
    await using handle = await open(file, 'r')
    return await handle.readFile()
  } catch (cause) {
    throw refused(setting, file, messageOf(cause), cause)
  }
}

function within<T>(setting: string, file: string, parse: () => T): T {
  try {
    return parse()
  } catch (cause) {
    throw refused(setting, file, messageOf(cause), cause)
  }
}

function refused(setting: string, file: string, why: string, cause?: unknown): SidecarError {
  return new SidecarError('ERR_INPUT_FILE', `${setting} ${file}: ${why}`, { cause })
}
