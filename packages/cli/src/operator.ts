import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  createBundleSource,
  parseCertificatesPem,
  parsePrivateKeyPem,
  parseTrustBundlePem,
  parseX509Svid,
  type TrustBundle,
  type TrustDomain,
  type X509Svid,
} from '@picket/identity'
import {
  connectControlPlane,
  RpcError,
  type AdminClient,
  type AuthorityClient,
  type FederationClient,
  type RevocationClient,
} from '@picket/rpc'
import {
  codeOf,
  createWatch,
  formatDuration,
  formatHostPort,
  parseHostPort,
  silentLogger,
  type HostPort,
  type SettingsOf,
  type SettingsTable,
} from '@picket/runtime'
import type { Command } from 'commander'
import type { CliContext } from './context.ts'
import { CliError } from './error.ts'
import { createLogger } from './logger.ts'
import { globalsOf } from './program.ts'
import { addSettingsFlags, loadSettings } from './settings-flags.ts'

/** How an operator's command finds its control plane and proves who it is. */
export const operatorSettings = {
  dataDir: {
    parse: String,
    default: 'picket-data',
    placeholder: 'DIR',
    doc: "the control plane's data folder, which holds the operator's identity and the address",
  },
  controlPlane: {
    parse: parseHostPort,
    optional: true,
    placeholder: 'HOST:PORT',
    doc: 'control plane to talk to; default the address in the identity folder, else 127.0.0.1:7400',
  },
  identity: {
    parse: String,
    optional: true,
    placeholder: 'DIR',
    doc: "folder with the operator's svid.pem, key.pem and bundle.pem; default DATA_DIR/operator",
  },
} as const satisfies SettingsTable

type OperatorSettings = SettingsOf<typeof operatorSettings>

interface OperatorIdentity {
  readonly svid: X509Svid
  readonly bundle: TrustBundle
}

const READ_ATTEMPTS = 5
const READ_AGAIN_MS = 50
const DEFAULT_ADDRESS: HostPort = { host: '127.0.0.1', port: 7400 }

export function addOperatorFlags(command: Command): Command {
  return addSettingsFlags(command, operatorSettings)
}

export interface OperatorSession {
  readonly admin: AdminClient
  readonly federation: FederationClient
  readonly authorities: AuthorityClient
  readonly revocations: RevocationClient
  /** The operator's own. */
  readonly trustDomain: TrustDomain
}

/** Connects as the operator, does `work`, disconnects. Throws what the user can act on. */
export async function asOperator<T>(
  command: Command,
  context: CliContext,
  work: (operator: OperatorSession) => Promise<T>,
): Promise<T> {
  const settings = await loadSettings(command, operatorSettings, context)
  const folder = settings.identity ?? join(settings.dataDir, 'operator')
  const { svid, bundle } = await loadOperatorIdentity(folder, settings, context)
  const address = settings.controlPlane ?? (await recordedAddress(folder)) ?? DEFAULT_ADDRESS
  const expiredMs = context.clock.now() - svid.notAfter.getTime()
  if (expiredMs > 0) {
    throw new CliError(
      'ERR_OPERATOR_IDENTITY',
      `the operator's SVID in ${folder} expired ${formatDuration(expiredMs)} ago: a running control plane renews it: ${startHint(settings)}`,
    )
  }
  const logger = globalsOf(command).verbose
    ? createLogger('debug', context.clock, { write: (line) => context.stderr.write(line) })
    : silentLogger
  await using client = connectControlPlane(
    { bundles: createWatch(createBundleSource([bundle])), svid: createWatch(svid), clock: context.clock, logger },
    { address, trustDomain: svid.id.trustDomain },
  )
  try {
    const { admin, federation, authorities, revocations } = client
    return await work({ admin, federation, authorities, revocations, trustDomain: svid.id.trustDomain })
  } catch (cause) {
    if (!(cause instanceof RpcError) || cause.code !== 'ERR_RPC_UNAVAILABLE') throw cause
    const where = formatHostPort(address)
    throw new CliError('ERR_CONTROL_PLANE_DOWN', `no control plane answers at ${where}: ${startHint(settings)}`, {
      cause,
    })
  }
}

/** Key and certificate are two files that the control plane replaces one after the other: found apart, they are read again. */
async function loadOperatorIdentity(
  folder: string,
  settings: OperatorSettings,
  { clock }: CliContext,
): Promise<OperatorIdentity> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await readOperatorIdentity(folder)
    } catch (cause) {
      if (codeOf(cause) === 'ENOENT') {
        const where = `no operator identity in ${folder}`
        throw new CliError('ERR_OPERATOR_IDENTITY', `${where}: the control plane writes it: ${startHint(settings)}`, {
          cause,
        })
      }
      if (codeOf(cause) !== 'ERR_SVID' || attempt === READ_ATTEMPTS) throw cause
    }
    await clock.sleep(READ_AGAIN_MS)
  }
}

async function readOperatorIdentity(folder: string): Promise<OperatorIdentity> {
  const read = (name: string): Promise<string> => readFile(join(folder, name), 'utf8')
  const [chain, key, authorities] = await Promise.all([read('svid.pem'), read('key.pem'), read('bundle.pem')])
  const svid = parseX509Svid(parseCertificatesPem(chain), parsePrivateKeyPem(key))
  return { svid, bundle: parseTrustBundlePem(authorities, svid.id.trustDomain) }
}

/** The address that the control plane really listens on, as it wrote it down. */
async function recordedAddress(folder: string): Promise<HostPort | undefined> {
  try {
    return parseHostPort((await readFile(join(folder, 'address'), 'utf8')).trim())
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') return undefined
    throw thrown
  }
}

function startHint({ dataDir }: OperatorSettings): string {
  const flag = dataDir === operatorSettings.dataDir.default ? '' : ` --data-dir ${dataDir}`
  return `start it with: picket control-plane${flag}`
}
