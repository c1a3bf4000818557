import { join } from 'node:path'
import {
  encodeBundleMap,
  encodeJwtBundle,
  encodeOidcKeys,
  encodeTrustBundle,
  encodeTrustBundlePem,
  type TrustBundle,
  type TrustDomain,
} from '@picket/identity'
import type { SettingsTable } from '@picket/runtime'
import { Option, type Command } from 'commander'
import { addTrustDomainFlag, loadBundleFile } from '../bundle-file.ts'
import type { CliContext } from '../context.ts'
import { CliError } from '../error.ts'
import { operatorSettings } from '../operator.ts'
import { examples, outputOf } from '../program.ts'
import { addSettingsFlags, loadSettings } from '../settings-flags.ts'
import { loadAuthorities } from './ca.ts'

/** What one bundle can be written as; a map can hold several. */
const FORMATS = {
  pem: encodeTrustBundlePem,
  spiffe: encodeTrustBundle,
  jwt: encodeJwtBundle,
  oidc: encodeOidcKeys,
} as const satisfies Record<string, (bundle: TrustBundle) => string>

type Format = 'list' | 'map' | keyof typeof FORMATS

export function configureBundle(command: Command, context: CliContext): void {
  configureShow(command.command('show'), context)
}

interface ShowFlags {
  readonly trustDomain?: TrustDomain
  readonly format: Format
}

const ownBundleSettings = { dataDir: operatorSettings.dataDir } as const satisfies SettingsTable

function configureShow(command: Command, context: CliContext): void {
  const format = new Option('--format <FORMAT>', 'its authorities as a list, or the bundle in another form')
    .choices(['list', 'map', ...Object.keys(FORMATS)])
    .default('list')
  addSettingsFlags(addTrustDomainFlag(command), ownBundleSettings)
    .description('show the authorities of a trust bundle, the own one or that of a file, or convert it')
    .argument('[FILE]', "PEM, SPIFFE bundle, or SPIFFE bundle map (default: the control plane's own, as it is now)")
    .addOption(format)
    .action(async (given: string | undefined, { trustDomain, format: form }: ShowFlags, self: Command) => {
      const file = given ?? (await ownBundleFile(self, context))
      const { bundles, warnings } = await loadBundleFile(file, trustDomain)
      const output = outputOf(self, context)
      for (const warning of warnings) output.warn(warning)
      if (form === 'list')
        return output.list({ kind: 'AuthorityList', items: bundles.flatMap(toItems), columns: COLUMNS })
      output.text(form === 'map' ? encodeBundleMap(bundles) : FORMATS[form](only(bundles, file)))
    })
  examples(
    command,
    'picket bundle show',
    'picket bundle show --format spiffe > bank.json',
    'picket bundle show bundles.json --trust-domain partner.test --format pem',
  )
}

/** What the control plane publishes; it rewrites the file with each change. Throws `ERR_NO_AUTHORITY`. */
async function ownBundleFile(command: Command, context: CliContext): Promise<string> {
  const { dataDir } = await loadSettings(command, ownBundleSettings, context)
  await loadAuthorities(dataDir)
  return join(dataDir, 'ca', 'trust-bundle.json')
}

function only([bundle, ...others]: readonly TrustBundle[], file: string): TrustBundle {
  if (bundle && others.length === 0) return bundle
  throw new CliError('ERR_USAGE', `${file} has ${bundle ? 'several bundles' : 'no bundle'}: choose with --trust-domain`)
}

type AuthorityItem = {
  readonly trustDomain: string
  readonly kind: 'x509' | 'jwt'
  readonly keyId: string
  readonly keyAlgorithm: string
  readonly notAfter: string | null
  readonly bundleSequence: string
}

function toItems({ trustDomain, x509Authorities, jwtAuthorities, sequence }: TrustBundle): AuthorityItem[] {
  const shared = { trustDomain: trustDomain.name, bundleSequence: sequence.toString() }
  return [
    ...x509Authorities.map((authority) => ({
      ...shared,
      kind: 'x509' as const,
      keyId: authority.subjectKeyId ?? authority.publicKeyInfo.keyId,
      keyAlgorithm: authority.keyAlgorithm,
      notAfter: authority.notAfter.toISOString(),
    })),
    ...jwtAuthorities.map(({ keyId, algorithm }) => ({
      ...shared,
      kind: 'jwt' as const,
      keyId,
      keyAlgorithm: algorithm,
      notAfter: null,
    })),
  ]
}

const COLUMNS: readonly (readonly [string, (item: AuthorityItem) => string])[] = [
  ['TRUST DOMAIN', ({ trustDomain }) => trustDomain],
  ['KIND', ({ kind }) => kind],
  ['KEY ID', ({ keyId }) => keyId],
  ['ALGORITHM', ({ keyAlgorithm }) => keyAlgorithm],
  ['VALID UNTIL', ({ notAfter }) => notAfter ?? ''],
  ['SEQUENCE', ({ bundleSequence }) => bundleSequence],
]
