import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { initAuthority, type UpstreamFiles } from '@picket/ca'
import {
  isJwtKeyAlgorithm,
  KEY_ALGORITHMS,
  parseCertificatesPem,
  parseKeyAlgorithm,
  parseSpiffeId,
  parseTrustDomain,
  type Certificate,
  type KeyAlgorithm,
} from '@picket/identity'
import { codeOf, parseDuration, writeFileAtomic, type SettingsTable } from '@picket/runtime'
import type { Command } from 'commander'
import type { CliContext } from '../context.ts'
import { CliError } from '../error.ts'
import type { Listing } from '../output.ts'
import { examples, outputOf } from '../program.ts'
import { createSealKey, sealKeySettings } from '../seal-key.ts'
import { addSettingsFlags, loadSettings } from '../settings-flags.ts'
import { toRelative } from '../time.ts'
import { configureRotate } from './ca-rotate.ts'
import { configureAuthoritySteps } from './ca-steps.ts'

const JWT_KEY_ALGORITHMS = KEY_ALGORITHMS.filter(isJwtKeyAlgorithm)

const dataDirSetting = {
  dataDir: { parse: String, default: 'picket-data', placeholder: 'DIR', doc: "the control plane's data folder" },
} as const satisfies SettingsTable

const caInitSettings = {
  trustDomain: { parse: parseTrustDomain, placeholder: 'NAME', doc: 'the trust domain, such as bank.test' },
  ...dataDirSetting,
  ...sealKeySettings,
  keyAlgorithm: {
    parse: parseKeyAlgorithm,
    default: 'ec-p256',
    placeholder: KEY_ALGORITHMS.join('|'),
    doc: "the authority's key",
  },
  jwtKeyAlgorithm: {
    parse: parseJwtKeyAlgorithm,
    default: 'ec-p256',
    placeholder: JWT_KEY_ALGORITHMS.join('|'),
    doc: "the token authority's key",
  },
  authorityTtl: { parse: parseDuration, default: '30d', placeholder: 'DURATION', doc: "the authority's lifetime" },
  upstreamCertificate: {
    parse: String,
    optional: true,
    placeholder: 'FILE',
    doc: 'PEM certificate of an authority outside Picket that issues this one, then what leads from it to a root',
  },
  upstreamKey: { parse: String, optional: true, placeholder: 'FILE', doc: 'PEM key of upstreamCertificate' },
  upstreamBundle: { parse: String, optional: true, placeholder: 'FILE', doc: 'PEM roots above upstreamCertificate' },
} as const satisfies SettingsTable

export function configureCa(command: Command, context: CliContext): void {
  configureInit(command.command('init'), context)
  configureShow(command.command('show'), context)
  configureAuthoritySteps(command, context)
  configureRotate(command.command('rotate'), context)
  examples(command, 'picket ca init --trust-domain bank.test', 'picket ca status', 'picket ca rotate --dry-run')
}

function configureInit(command: Command, context: CliContext): void {
  addSettingsFlags(command, caInitSettings)
    .description('create the authority of a trust domain; refuses to replace one')
    .action(async (_options, self: Command) => {
      const settings = await loadSettings(self, caInitSettings, context)
      const { dataDir, trustDomain } = settings
      const upstream = toUpstream(settings)
      await mkdir(dataDir, { recursive: true, mode: 0o700 })
      const { sealKey, createdFile } = await createSealKey(settings, dataDir)
      const folder = join(dataDir, 'ca')
      try {
        const { authorityTtl: ttlMs, keyAlgorithm: algorithm, jwtKeyAlgorithm: jwtAlgorithm } = settings
        const options = { trustDomain, algorithm, jwtAlgorithm, ttlMs, sealKey, ...upstream }
        await using _authority = await initAuthority(folder, options, context)
      } catch (thrown) {
        if (createdFile) await rm(createdFile) // it opens nothing, and must not be taken for the key of what is there
        throw thrown
      }
      const bundleFile = join(dataDir, 'trust-bundle.pem')
      await writeFileAtomic(bundleFile, await readFile(join(folder, 'trust-bundle.pem')))

      const output = outputOf(self, context)
      output.list(listingOf(await loadAuthorities(dataDir), context))
      output.note(`\nkeys, sealed      ${join(folder, '*.key.sealed')}`)
      if (createdFile)
        output.note(`sealing key       ${createdFile}: keep a copy in a safe place, without it the authority is lost`)
      output.note(`for the sidecars  ${bundleFile}`)
      output.note(
        `\nNext: picket control-plane${dataDir === dataDirSetting.dataDir.default ? '' : ` --data-dir ${dataDir}`}`,
      )
    })
  examples(
    command,
    'picket ca init --trust-domain bank.test',
    'picket ca init --trust-domain bank.test --data-dir /var/lib/picket --seal-key-file /etc/picket/seal.key',
  )
}

function configureShow(command: Command, context: CliContext): void {
  addSettingsFlags(command, dataDirSetting)
    .description('show the authority; needs no sealing key')
    .action(async (_options, self: Command) => {
      const { dataDir } = await loadSettings(self, dataDirSetting, context)
      outputOf(self, context).list(listingOf(await loadAuthorities(dataDir), context))
    })
  examples(command, 'picket ca show', 'picket ca show --data-dir /var/lib/picket -o json')
}

/** Throws `ERR_NO_AUTHORITY` with the command that makes one. */
export async function loadAuthorities(dataDir: string): Promise<Certificate[]> {
  try {
    return parseCertificatesPem(await readFile(join(dataDir, 'ca', 'trust-bundle.pem'), 'utf8'))
  } catch (cause) {
    if (codeOf(cause) !== 'ENOENT') throw cause
    const folder = dataDir === dataDirSetting.dataDir.default ? '' : ` --data-dir ${dataDir}`
    const hint = `create one with: picket ca init --trust-domain NAME${folder}`
    throw new CliError('ERR_NO_AUTHORITY', `there is no authority in ${dataDir}: ${hint}`, { cause })
  }
}

type AuthorityItem = {
  readonly trustDomain: string
  readonly keyId: string
  readonly keyAlgorithm: string
  readonly notBefore: string
  readonly notAfter: string
  readonly fingerprintSha256: string
}

function listingOf(authorities: readonly Certificate[], { clock }: CliContext): Listing<AuthorityItem> {
  return {
    kind: 'AuthorityList',
    items: authorities.map((certificate) => ({
      trustDomain: toTrustDomainName(certificate),
      keyId: certificate.subjectKeyId ?? '',
      keyAlgorithm: certificate.keyAlgorithm,
      notBefore: certificate.notBefore.toISOString(),
      notAfter: certificate.notAfter.toISOString(),
      fingerprintSha256: certificate.fingerprintSha256,
    })),
    columns: [
      ['TRUST DOMAIN', ({ trustDomain }) => trustDomain],
      ['KEY', ({ keyAlgorithm }) => keyAlgorithm],
      ['KEY ID', ({ keyId }) => keyId],
      ['EXPIRES', ({ notAfter }) => `${notAfter} (${toRelative(notAfter, clock)})`],
      ['SHA-256', ({ fingerprintSha256 }) => fingerprintSha256],
    ],
  }
}

/** A root outside Picket may name no trust domain. */
function toTrustDomainName({ uriSans: [uri] }: Certificate): string {
  return uri?.startsWith('spiffe://') ? parseSpiffeId(uri).trustDomain.name : ''
}

function parseJwtKeyAlgorithm(text: string): KeyAlgorithm {
  const algorithm = parseKeyAlgorithm(text)
  if (!isJwtKeyAlgorithm(algorithm))
    throw new TypeError(`"${text}" does not sign tokens: ${JWT_KEY_ALGORITHMS.join(', ')} do`)
  return algorithm
}

function toUpstream(settings: {
  readonly upstreamCertificate: string | undefined
  readonly upstreamKey: string | undefined
  readonly upstreamBundle: string | undefined
}): { upstream?: UpstreamFiles } {
  const { upstreamCertificate: certificateFile, upstreamKey: keyFile, upstreamBundle: bundleFile } = settings
  if (certificateFile !== undefined && keyFile !== undefined && bundleFile !== undefined) {
    return { upstream: { certificateFile, keyFile, bundleFile } }
  }
  if ((certificateFile ?? keyFile ?? bundleFile) === undefined) return {}
  const problem = '--upstream-certificate, --upstream-key and --upstream-bundle belong together: give all three or none'
  throw new CliError('ERR_USAGE', problem)
}
