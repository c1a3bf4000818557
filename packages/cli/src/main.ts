import { CommanderError } from 'commander'
import { createProgram } from './commands/index.ts'
import { systemContext, type CliContext } from './context.ts'
import { exitCodeOf } from './exit-code.ts'
import { describeFailure } from './failure.ts'

/** Runs one command line and gives the process's exit code. Whatever is thrown below ends here, as lines for a person. */
export async function runCli(args: readonly string[], context: CliContext): Promise<number> {
  try {
    const program = await createProgram(context, args)
    await program.parseAsync(args, { from: 'user' })
    return context.exitCode
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2 // commander has already said it
    const { PICKET_DEBUG: debug = '' } = context.environment
    context.stderr.write(describeFailure(thrown, args.includes('--debug') || (debug !== '' && debug !== '0')))
    return exitCodeOf(thrown)
  }
}

/** The process: arguments in, exit code out. */
export async function main(): Promise<never> {
  // A reader that leaves early (`picket status | head -1`) is no failure, and nobody is left to tell.
  process.stdout.on('error', () => process.exit(0))
  process.stderr.on('error', () => {})
  return process.exit(await runCli(process.argv.slice(2), systemContext))
}

if (import.meta.main) await main()
