import type { Command } from 'commander'
import { parseSelector, parseTtlSeconds, usage, usageList } from '../arguments.ts'
import type { CliContext } from '../context.ts'
import { addOperatorFlags, asOperator } from '../operator.ts'
import { examples, outputOf } from '../program.ts'
import { toRelative, toTimestamp } from '../time.ts'

export function configureToken(command: Command, context: CliContext): void {
  const create = command
    .command('create')
    .description('create a join token: whoever presents it has the facts that it names, once')
    .requiredOption('--selector <TYPE:VALUE>', 'fact that the token proves (repeatable)', usageList(parseSelector))
    .option('--ttl <DURATION>', 'how long it may wait to be used (default 10m)', usage(parseTtlSeconds), 600)
    .action(async ({ selector, ttl }: { selector: readonly string[]; ttl: number }, self: Command) => {
      const { token, expiresAtMs } = await asOperator(self, context, ({ admin }) =>
        admin.createToken({ selectors: selector, ttlSeconds: ttl }),
      )
      const output = outputOf(self, context)
      output.list({
        kind: 'JoinTokenList',
        items: [{ token, selectors: selector, expiresAt: toTimestamp(expiresAtMs) }],
        columns: [
          ['TOKEN', (item) => item.token],
          ['SELECTORS', (item) => item.selectors.join(' ')],
          ['EXPIRES', (item) => toRelative(item.expiresAt, context.clock)],
        ],
      })
      output.note('It works once and is not shown again. Give it to the sidecar in a file: --join-token-file FILE')
    })
  examples(
    addOperatorFlags(create),
    'picket token create --selector service:payments',
    'picket token create --selector service:payments --ttl 1h -o json',
  )
}
