import { installOpa, OPA_VERSION, requireOpa, type InstallOptions, type Opa } from '@picket/policy'
import { Option, type Command } from 'commander'
import type { CliContext } from '../context.ts'
import type { Listing } from '../output.ts'
import { examples, outputOf } from '../program.ts'

export function configureToolchain(command: Command, context: CliContext): void {
  const install = command
    .command('install')
    .description(`put OPA ${OPA_VERSION} into the cache folder, unless it is there`)
    .addOption(new Option('--from <SOURCE>', 'default: go when it is on PATH, else release').choices(['go', 'release']))
    .option('--base-url <URL>', 'mirror of the releases (env PICKET_OPA_BASE_URL)')
    .option('--sha256 <HEX>', "the release's checksum, when none is pinned for this platform (env PICKET_OPA_SHA256)")
    .action(async (options: Pick<InstallOptions, 'from' | 'baseUrl' | 'sha256'>, self: Command) => {
      const output = outputOf(self, context)
      output.note(`installing OPA ${OPA_VERSION}: this can take some minutes`)
      output.list(listingOf(await installOpa({ ...options, env: context.environment })))
    })
  examples(
    install,
    'picket toolchain install',
    'picket toolchain install --from release --base-url https://mirror.bank.test/opa',
  )

  const show = command
    .command('show')
    .description('show the OPA that policies are compiled with; ends with 1 when there is none')
    .option('--opa <FILE>', 'this one (env PICKET_OPA); default: on PATH, else installed')
    .action(async ({ opa: flag }: { opa?: string }, self: Command) => {
      const opa = await requireOpa({ env: context.environment, ...(flag === undefined ? {} : { flag }) })
      outputOf(self, context).list(listingOf(opa))
    })
  examples(show, 'picket toolchain show', 'picket toolchain show --opa /usr/local/bin/opa')
}

function listingOf({ path, version }: Opa): Listing<{ name: string; version: string; path: string }> {
  return {
    kind: 'ToolList',
    items: [{ name: 'opa', version, path }],
    columns: [
      ['NAME', ({ name }) => name],
      ['VERSION', (tool) => tool.version],
      ['PATH', (tool) => tool.path],
    ],
  }
}
