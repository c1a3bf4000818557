import { writeFileAtomic } from '@picket/runtime'
import type { Command } from 'commander'
import { parseSelector, parseTtlSeconds, usage, usageList } from '../arguments.ts'
import type { CliContext } from '../context.ts'
import { addOperatorFlags, asOperator } from '../operator.ts'
import { examples, outputOf } from '../program.ts'
import { toRelative, toTimestamp } from '../time.ts'

interface CreateOptions {
  readonly selector: readonly string[]
  readonly ttl: number
  readonly tokenFile: string | undefined
}

export function configureToken(command: Command, context: CliContext): void {
  const create = command
    .command('create')
    .description('create a join token: whoever presents it has the facts that it names, once')
    .requiredOption('--selector <TYPE:VALUE>', 'fact that the token proves (repeatable)', usageList(parseSelector))
    .option('--ttl <DURATION>', 'how long it may wait to be used (default 10m)', usage(parseTtlSeconds), 600)
    .option('--token-file <FILE>', 'write the token there, for its owner alone, instead of showing it')
    .action(async ({ selector, ttl, tokenFile }: CreateOptions, self: Command) => {
      const { token, expiresAtMs } = await asOperator(self, context, ({ admin }) =>
        admin.createToken({ selectors: selector, ttlSeconds: ttl }),
      )
      if (tokenFile !== undefined) await writeFileAtomic(tokenFile, `${token}\n`, 0o600)
      const shown = tokenFile === undefined ? { token, tokenFile: null } : { token: null, tokenFile }
      const output = outputOf(self, context)
      output.list({
        kind: 'JoinTokenList',
        items: [{ ...shown, selectors: selector, expiresAt: toTimestamp(expiresAtMs) }],
        columns: [
          [tokenFile === undefined ? 'TOKEN' : 'TOKEN FILE', (item) => item.token ?? item.tokenFile ?? ''],
          ['SELECTORS', (item) => item.selectors.join(' ')],
          ['EXPIRES', (item) => toRelative(item.expiresAt, context.clock)],
        ],
      })
      const file = tokenFile ?? 'FILE'
      output.note(`It works once and is not shown again. Give it to the sidecar in a file: --join-token-file ${file}`)
    })
  examples(
    addOperatorFlags(create),
    'picket token create --selector service:payments --token-file payments.token',
    'picket token create --selector service:payments --ttl 1h -o json',
  )
}
