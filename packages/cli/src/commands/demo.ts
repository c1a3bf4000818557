import type { Command } from 'commander'
import type { CliContext } from '../context.ts'
import { examples } from '../program.ts'
import { listenForShutdown } from '../shutdown.ts'

export function configureDemo(command: Command, context: CliContext): void {
  command
    .option('--once', 'play the scenes, check each expectation and end: 0 when all were met, 1 otherwise', false)
    .action(async ({ once }: { once: boolean }) => {
      const { runDemo } = await import('@picket/demo')
      using shutdown = listenForShutdown(context)
      const print = (line: string): void => context.stdout.write(`${line}\n`)
      const met = await runDemo({ once, print, signal: shutdown.signal })
      if (!met) context.exitCode = 1
    })
  examples(command, 'picket demo', 'picket demo --once')
}
