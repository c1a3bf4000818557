import {
  createBundleSource,
  parseBundleMap,
  parseSpiffeId,
  parseStrictJson,
  parseTrustBundle,
  parseTrustBundlePem,
  parseTrustDomain,
  type BundleSet,
  type Certificate,
  type SkippedKey,
  type TrustBundle,
  type TrustDomain,
} from '@picket/identity'
import type { Command } from 'commander'
import { usage } from './arguments.ts'
import { CliError } from './error.ts'
import { describeFailure } from './failure.ts'
import { readFileAtMost } from './input-file.ts'

/** What has been read, and what was passed over in it. */
export interface BundleFile {
  readonly bundles: readonly TrustBundle[]
  readonly source: BundleSet
  /** Lines for the user. */
  readonly warnings: readonly string[]
}

const MAX_FILE_BYTES = 4 * 1024 * 1024

export function addTrustDomainFlag(command: Command): Command {
  return command.option(
    '--trust-domain <NAME>',
    'whose bundle it is (default: what its authorities call themselves, when they agree)',
    usage(parseTrustDomain),
  )
}

/**
 * A bundle file in any of its forms: certificates as PEM, a SPIFFE bundle, a SPIFFE bundle map. The trust domain's name
 * is not part of the first two (rule 49): it is given, or taken from the authorities' own certificates when all of them
 * say the same. Throws `ERR_USAGE`, since without a bundle no verdict means anything.
 */
export async function loadBundleFile(file: string, trustDomain: TrustDomain | undefined): Promise<BundleFile> {
  const skipped = new Map<SkippedKey, number>()
  const onSkipped = (reason: SkippedKey): void => void skipped.set(reason, (skipped.get(reason) ?? 0) + 1)
  const bundles = await reading(file, async () => {
    const bytes = await readFileAtMost(file, MAX_FILE_BYTES)
    const text = bytes.toString()
    if (!/^\s*[{[]/.test(text)) return [named(parseTrustBundlePem(text, UNNAMED), file, trustDomain)]
    if (!isBundleMap(bytes)) return [named(parseTrustBundle(bytes, UNNAMED, { onSkipped }), file, trustDomain)]
    return selected(parseBundleMap(bytes, { onSkipped }), file, trustDomain)
  })
  const warnings = [...skipped].map(([reason, count]) => `${file}: keys passed over (${reason}): ${count}`)
  return { bundles, source: createBundleSource(bundles), warnings }
}

/** Holds the place of a name until it is known; nothing is verified under it. */
const UNNAMED = parseTrustDomain('unnamed')

async function reading(file: string, read: () => Promise<TrustBundle[]>): Promise<TrustBundle[]> {
  try {
    return await read()
  } catch (cause) {
    if (cause instanceof CliError && cause.code === 'ERR_USAGE') throw cause
    const reason = describeFailure(cause, false)
      .split('\n', 1)[0]!
      .replace(/^picket: /, '')
    throw new CliError('ERR_USAGE', `the trust bundle cannot be read: ${reason.replace(`${file}: `, '')}: ${file}`, {
      cause,
    })
  }
}

/** The map's strict reading follows; this only tells the two documents apart. */
function isBundleMap(bytes: Buffer): boolean {
  const document = parseStrictJson(bytes, { maxLength: MAX_FILE_BYTES })
  return typeof document === 'object' && document !== null && Object.hasOwn(document, 'trust_domains')
}

function selected(bundles: readonly TrustBundle[], file: string, wanted: TrustDomain | undefined): TrustBundle[] {
  const found = bundles.filter(({ trustDomain }) => wanted === undefined || trustDomain.name === wanted.name)
  if (wanted && found.length === 0) throw new CliError('ERR_USAGE', `${file} has no bundle of ${wanted.name}`)
  return found
}

function named(bundle: TrustBundle, file: string, given: TrustDomain | undefined): TrustBundle {
  return { ...bundle, trustDomain: given ?? declaredBy(bundle.x509Authorities, file) }
}

function declaredBy(authorities: readonly Certificate[], file: string): TrustDomain {
  const names = authorities.map(declaredName)
  const [first] = names
  if (first !== undefined && names.every((name) => name === first)) return parseTrustDomain(first)
  const fault = authorities.length === 0 ? 'it holds no certificate' : 'its authorities do not all name the same one'
  throw new CliError(
    'ERR_USAGE',
    `${file} does not tell its trust domain: a bundle has no name inside, and ${fault}. Give --trust-domain NAME.`,
  )
}

function declaredName({ uriSans }: Certificate): string | undefined {
  try {
    return uriSans.length === 1 ? parseSpiffeId(uriSans[0]!).trustDomain.name : undefined
  } catch {
    return undefined
  }
}
