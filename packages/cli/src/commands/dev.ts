import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { initAuthority, type Authority } from '@picket/ca'
import {
  createCsr,
  encodeCertificatesPem,
  encodePrivateKeyPem,
  encodeTrustBundlePem,
  generateKeyPair,
  parseCsr,
  parseTrustDomain,
  toSpiffeId,
  type TrustDomain,
} from '@picket/identity'
import { generateSealKeyText, parseDuration, parseSealKey, writeFileAtomic } from '@picket/runtime'
import { Option, type Command } from 'commander'
import { usage, usageList } from '../arguments.ts'
import type { CliContext } from '../context.ts'
import { examples, outputOf } from '../program.ts'

/** The demo's bank, so that its policies can be tried with these certificates. */
const BANK = ['gateway', 'accounts', 'payments', 'ledger', 'fraud', 'support-portal'] as const

interface CertsOptions {
  readonly trustDomain: TrustDomain
  readonly directory: string
  readonly ttl: number
}

export function configureDev(command: Command, context: CliContext): void {
  const certs = command
    .command('certs')
    .description('fill certs-dev/SERVICE/{svid,key,bundle}.pem from an authority that exists only for that moment')
    .argument('[SERVICE...]', `besides ${BANK.join(', ')}`, usageList(parseServiceName))
    .option('--trust-domain <NAME>', 'trust domain of all of them (default bank.test)', usage(parseTrustDomain))
    .option('--directory <DIR>', 'where the folders go', 'certs-dev')
    .addOption(
      new Option('--ttl <DURATION>', 'how long they last').argParser(usage(parseDuration)).default(86_400_000, '24h'),
    )
    .action(async (named: readonly string[] | undefined, options: CertsOptions, self: Command) => {
      const services = [...new Set([...BANK, ...(named ?? [])])]
      const trustDomain = options.trustDomain ?? parseTrustDomain('bank.test')
      const items = await createDevCerts(services, { ...options, trustDomain }, context)
      const output = outputOf(self, context)
      output.list({
        kind: 'DevCertificateList',
        items,
        columns: [
          ['SPIFFE ID', ({ spiffeId }) => spiffeId],
          ['FOLDER', ({ directory }) => directory],
          ['EXPIRES', ({ notAfter }) => notAfter],
        ],
      })
      output.note(hints(options.directory))
    })
  examples(certs, 'picket dev certs', 'picket dev certs billing --trust-domain shop.test --ttl 1h')
}

type DevCertificate = {
  readonly service: string
  readonly spiffeId: string
  readonly directory: string
  readonly notAfter: string
}

/** All from one authority, whose key is never written: each call is a trust domain of its own. */
async function createDevCerts(
  services: readonly string[],
  { trustDomain, directory, ttl }: CertsOptions,
  context: CliContext,
): Promise<DevCertificate[]> {
  const scratch = await mkdtemp(join(tmpdir(), 'picket-dev-'))
  try {
    const sealKey = parseSealKey(generateSealKeyText())
    const options = { trustDomain, ttlMs: ttl + 60_000, sealKey }
    await using authority = await initAuthority(join(scratch, 'ca'), options, context)
    const created: DevCertificate[] = []
    for (const service of services) created.push(await createDevCert(service, authority, directory, ttl))
    return created
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function createDevCert(
  service: string,
  authority: Authority,
  directory: string,
  ttlMs: number,
): Promise<DevCertificate> {
  const id = toSpiffeId(authority.trustDomain, `/${service}`)
  const keyPair = generateKeyPair()
  const csr = parseCsr(createCsr(keyPair, id))
  const chain = await authority.issue({
    csr,
    id,
    ttlMs,
    dnsNames: [`${service}.mesh`, 'localhost'],
    caller: 'picket dev certs',
  })
  const folder = join(directory, service)
  await mkdir(folder, { recursive: true })
  await writeFileAtomic(join(folder, 'key.pem'), encodePrivateKeyPem(keyPair.privateKey), 0o600)
  await writeFileAtomic(join(folder, 'svid.pem'), encodeCertificatesPem(chain))
  await writeFileAtomic(join(folder, 'bundle.pem'), encodeTrustBundlePem(authority.bundle.value))
  return { service, spiffeId: id.uri, directory: folder, notAfter: chain[0]!.notAfter.toISOString() }
}

function parseServiceName(text: string): string {
  if (!/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(text)) {
    throw new TypeError('Write lower-case letters, digits and inner dashes, up to 63.')
  }
  return text
}

function hints(directory: string): string {
  const own = (file: string): string => join(directory, 'gateway', `${file}.pem`)
  return `
Never use them for real traffic. A sidecar for payments, and calls to it as gateway:
  picket sidecar --svid ${join(directory, 'payments/svid.pem')} --key ${join(directory, 'payments/key.pem')} \\
    --trust-bundle ${join(directory, 'payments/bundle.pem')} --policy policies/authz.bundle.tar.gz \\
    --inbound 127.0.0.1:7443 --app 127.0.0.1:8080
  curl --cacert ${own('bundle')} --cert ${own('svid')} --key ${own('key')} \\
    --resolve payments.mesh:7443:127.0.0.1 -d '{}' https://payments.mesh:7443/payments
  openssl s_client -connect 127.0.0.1:7443 -CAfile ${own('bundle')} -cert ${own('svid')} -key ${own('key')}`
}
