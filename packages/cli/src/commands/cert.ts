import {
  lintX509Svid,
  parseCertificatesPem,
  parseSpiffeId,
  verifyX509Svid,
  type Certificate,
  type SvidRefusal,
} from '@picket/identity'
import type { Command } from 'commander'
import { parseIdArgument } from '../arguments.ts'
import { loadBundleFile } from '../bundle-file.ts'
import type { CliContext } from '../context.ts'
import { CliError } from '../error.ts'
import { readFileAtMost } from '../input-file.ts'
import { addOperatorFlags, asOperator } from '../operator.ts'
import type { Column } from '../output.ts'
import { examples, globalsOf, outputOf } from '../program.ts'
import { toRelative } from '../time.ts'

const MAX_CHAIN_BYTES = 1024 * 1024

export function configureCert(command: Command, context: CliContext): void {
  configureInspect(command.command('inspect'), context)
  configureRotate(command.command('rotate'), context)
}

function configureInspect(command: Command, context: CliContext): void {
  command
    .description('show the certificates of a PEM file; ends with 1 when the first one is not a usable SVID')
    .argument('<FILE>', 'certificate chain, leaf first')
    .option('--trust-bundle <FILE>', 'also verify the chain against these authorities, PEM or SPIFFE bundle')
    .action(async (file: string, { trustBundle }: { trustBundle?: string }, self: Command) => {
      const chain = parseCertificatesPem((await readFileAtMost(file, MAX_CHAIN_BYTES)).toString())
      const items = chain.map(toItem)
      const output = outputOf(self, context)
      if (globalsOf(self).output === 'json') output.list({ kind: 'CertificateList', items, columns: [] })
      else output.text(items.map((item) => describe(item, context)).join('\n'))
      const findings = [...findingsOf(chain, context), ...(await trustFindings(chain, trustBundle, context))]
      for (const finding of findings) output.warn(finding)
      if (findings.length > 0) context.exitCode = 1
    })
  examples(
    command,
    'picket cert inspect certs-dev/payments/svid.pem',
    'picket cert inspect svid.pem --trust-bundle picket-data/trust-bundle.pem -o json',
  )
}

function configureRotate(command: Command, context: CliContext): void {
  command
    .description('have sidecars renew their SVIDs now')
    .argument('[SPIFFE_ID]', 'whose; in full, or /PATH in the own trust domain')
    .option('--all', 'every connected sidecar', false)
    .action(async (id: string | undefined, { all }: { all: boolean }, self: Command) => {
      if ((id === undefined) !== all) throw new CliError('ERR_USAGE', 'say whose SVID: a SPIFFE ID, or --all')
      const notified = await asOperator(self, context, ({ admin, trustDomain }) =>
        admin.rotateSvids(id === undefined ? '' : parseIdArgument(id, trustDomain).uri),
      )
      const output = outputOf(self, context)
      output.list({
        kind: 'RotationList',
        items: notified.map((spiffeId) => ({ spiffeId })),
        columns: [['TOLD TO RENEW', ({ spiffeId }) => spiffeId]],
      })
      if (notified.length > 0) return
      output.warn(id === undefined ? 'no sidecar is connected' : `no sidecar of ${id} is connected`)
      context.exitCode = 1
    })
  examples(addOperatorFlags(command), 'picket cert rotate spiffe://bank.test/payments', 'picket cert rotate --all')
}

type CertificateItem = {
  readonly spiffeId: string | null
  readonly serialNumber: string
  readonly notBefore: string
  readonly notAfter: string
  readonly isCa: boolean
  readonly keyAlgorithm: string
  /** Of RSA keys, whose algorithm may be any size. */
  readonly keyBits: number | null
  readonly signatureAlgorithm: string
  readonly dnsNames: readonly string[]
  readonly subjectKeyId: string | null
  readonly authorityKeyId: string | null
  readonly fingerprintSha256: string
}

function toItem(certificate: Certificate): CertificateItem {
  const { serialNumber, isCa, keyAlgorithm, signatureAlgorithm, dnsSans, fingerprintSha256, publicKey } = certificate
  return {
    spiffeId: spiffeIdOf(certificate),
    serialNumber,
    notBefore: certificate.notBefore.toISOString(),
    notAfter: certificate.notAfter.toISOString(),
    isCa,
    keyAlgorithm,
    keyBits: publicKey.asymmetricKeyDetails?.modulusLength ?? null,
    signatureAlgorithm,
    dnsNames: dnsSans,
    subjectKeyId: certificate.subjectKeyId ?? null,
    authorityKeyId: certificate.authorityKeyId ?? null,
    fingerprintSha256,
  }
}

function spiffeIdOf({ uriSans }: Certificate): string | null {
  try {
    return uriSans.length === 1 ? parseSpiffeId(uriSans[0]!).uri : null
  } catch {
    return null
  }
}

const LINES: readonly ((context: CliContext) => Column<CertificateItem>)[] = [
  () => ['SPIFFE ID', ({ spiffeId }) => spiffeId ?? 'none'],
  () => ['Kind', ({ isCa }) => (isCa ? 'authority' : 'leaf')],
  () => ['Serial number', ({ serialNumber }) => serialNumber],
  ({ clock }) => ['Valid from', ({ notBefore }) => `${notBefore} (${toRelative(notBefore, clock)})`],
  ({ clock }) => ['Valid until', ({ notAfter }) => `${notAfter} (${toRelative(notAfter, clock)})`],
  () => ['Key', (item) => `${keyName(item)}, id ${item.subjectKeyId ?? 'none'}`],
  () => [
    'Issuer key',
    ({ signatureAlgorithm, authorityKeyId }) => `${signatureAlgorithm}, id ${authorityKeyId ?? 'none'}`,
  ],
  () => ['DNS names', ({ dnsNames }) => dnsNames.join(' ')],
  () => ['SHA-256', ({ fingerprintSha256 }) => fingerprintSha256],
]

function keyName({ keyAlgorithm, keyBits }: CertificateItem): string {
  return keyAlgorithm === 'rsa' ? `rsa of ${keyBits} bits` : keyAlgorithm
}

function describe(item: CertificateItem, context: CliContext): string {
  const facts = LINES.map((line) => line(context)).map(([name, value]) => [name, value(item)] as const)
  return facts.flatMap(([name, value]) => (value === '' ? [] : [`${`${name}:`.padEnd(15)}${value}\n`])).join('')
}

function findingsOf([leaf]: readonly Certificate[], { clock }: CliContext): string[] {
  if (!leaf || leaf.isCa) return []
  const expired = leaf.notAfter.getTime() <= clock.now() ? [`it expired at ${leaf.notAfter.toISOString()}`] : []
  return [...lintX509Svid(leaf), ...expired]
}

async function trustFindings(
  chain: readonly Certificate[],
  file: string | undefined,
  { clock }: CliContext,
): Promise<readonly string[]> {
  if (file === undefined) return []
  const { source, warnings } = await loadBundleFile(file, undefined)
  const now = new Date(clock.now())
  const verdict = verifyX509Svid(chain, source, now)
  if (verdict.kind === 'refused') return [...warnings, `${file} does not vouch for it: ${why(verdict)}`]
  const strict = verifyX509Svid(chain, source, now, { strict: true })
  return strict.kind === 'refused' ? [...warnings, `a strict verifier refuses it: ${why(strict)}`] : warnings
}

function why({ message, code, rule }: SvidRefusal): string {
  return `${message} (${code}; ${rule})`
}
