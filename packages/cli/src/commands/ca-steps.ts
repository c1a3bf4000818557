import type { AuthorityClient, AuthorityStatus } from '@picket/rpc'
import { KEY_ALGORITHMS, parseKeyAlgorithm } from '@picket/identity'
import { Option, type Command } from 'commander'
import { usage } from '../arguments.ts'
import type { CliContext } from '../context.ts'
import { CliError } from '../error.ts'
import { addOperatorFlags, asOperator } from '../operator.ts'
import { examples, outputOf } from '../program.ts'
import { authorityListing, describeProgress } from './ca-listing.ts'

interface KindOptions {
  readonly x509?: true
  readonly jwt?: true
}

/** The single steps of a rotation, for those who want each in their own hands. */
export function configureAuthoritySteps(command: Command, context: CliContext): void {
  configureStatus(command.command('status'), context)
  configurePrepare(command.command('prepare'), context)
  configureActivate(command.command('activate'), context)
  configureTaint(command.command('taint'), context)
  configureRevoke(command.command('revoke'), context)
}

/** `--x509` or `--jwt`. */
export function addKindFlags(command: Command, usual: 'x509' | 'both' = 'x509'): Command {
  const note = usual === 'both' ? ' alone (default: both)' : ' (default)'
  return command
    .addOption(new Option('--x509', `the authority of certificates${note}`).conflicts('jwt'))
    .addOption(new Option('--jwt', `the authority of tokens${usual === 'both' ? ' alone' : ''}`))
}

function configureStatus(command: Command, context: CliContext): void {
  command
    .description('show the authorities of a running control plane, and the rotation under way')
    .action(async (_options, self: Command) => {
      show(await asOperator(self, context, ({ authorities }) => authorities.getAuthorities()), self, context)
    })
  examples(addOperatorFlags(command), 'picket ca status', 'picket ca status -o json')
}

function configurePrepare(command: Command, context: CliContext): void {
  addKindFlags(command)
    .description('make a new authority and publish it; nothing is signed by it yet')
    .option('--algorithm <NAME>', `its key: ${KEY_ALGORITHMS.join(', ')} (default: as it is)`, usage(parseKeyAlgorithm))
    .action(async ({ algorithm = '', ...kind }: KindOptions & { algorithm?: string }, self: Command) => {
      const request = { kind: kindOf(kind), algorithm }
      show(await asOperator(self, context, ({ authorities }) => authorities.prepare(request)), self, context)
    })
  examples(addOperatorFlags(command), 'picket ca prepare', 'picket ca prepare --x509 --algorithm ml-dsa-65')
}

function configureActivate(command: Command, context: CliContext): void {
  addKindFlags(command)
    .description('sign with the prepared authority from now on; refused while a connected sidecar does not know it')
    .option('--force', 'although sidecars do not know it')
    .action(async ({ force = false, ...kind }: KindOptions & { force?: boolean }, self: Command) => {
      const request = { kind: kindOf(kind), force }
      show(await asOperator(self, context, ({ authorities }) => authorities.activate(request)), self, context)
    })
  examples(addOperatorFlags(command), 'picket ca activate', 'picket ca activate --jwt')
}

function configureTaint(command: Command, context: CliContext): void {
  command
    .description('have everything renewed that an old authority signed')
    .argument('<KEY_ID>', 'as in picket ca status, or its beginning')
    .action(async (keyId: string, _options, self: Command) => {
      const status = await asOperator(self, context, async ({ authorities }) =>
        authorities.taint({ ...(await findAuthority(authorities, keyId)), force: false }),
      )
      show(status, self, context)
    })
  examples(addOperatorFlags(command), 'picket ca taint 3f9c1d7a')
}

function configureRevoke(command: Command, context: CliContext): void {
  command
    .description('take an old, tainted authority out of the bundle; refused while a connected sidecar depends on it')
    .argument('<KEY_ID>', 'as in picket ca status, or its beginning')
    .option('--force', 'although sidecars still hold SVIDs of it: they are cut off')
    .action(async (keyId: string, { force = false }: { force?: boolean }, self: Command) => {
      const status = await asOperator(self, context, async ({ authorities }) =>
        authorities.revoke({ ...(await findAuthority(authorities, keyId)), force }),
      )
      show(status, self, context)
    })
  examples(addOperatorFlags(command), 'picket ca revoke 3f9c1d7a')
}

function kindOf({ jwt }: KindOptions): string {
  return jwt ? 'jwt' : 'x509'
}

/** By its key identifier or the only one that begins so. */
async function findAuthority(
  client: Pick<AuthorityClient, 'getAuthorities'>,
  keyId: string,
): Promise<{ kind: string; keyId: string }> {
  const wanted = keyId.toLowerCase().replaceAll(':', '')
  const { authorities } = await client.getAuthorities()
  const [found, ...others] = authorities.filter((authority) => wanted !== '' && authority.keyId.startsWith(wanted))
  if (found && others.length === 0) return { kind: found.kind, keyId: found.keyId }
  const problem = found ? 'several authorities have keys that begin' : 'no authority has a key that begins'
  throw new CliError('ERR_INPUT', `${problem} with ${keyId}: see picket ca status`)
}

function show(status: AuthorityStatus, self: Command, context: CliContext): void {
  const output = outputOf(self, context)
  output.list(authorityListing(status, context))
  if (status.rotation) output.note(`rotation ${describeProgress(status.rotation)}`)
  else output.note(`workloads' keys: ${status.svidAlgorithm}`)
}
