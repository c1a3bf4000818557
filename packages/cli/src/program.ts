import { Command, Help, Option } from 'commander'
import manifest from '../package.json' with { type: 'json' }
import type { CliContext } from './context.ts'
import { createOutput, type Output, type OutputOptions } from './output.ts'

export const VERSION = manifest.version

/** The flags that every command takes. */
export interface GlobalOptions extends OutputOptions {
  readonly verbose: boolean
  readonly debug: boolean
}

/** An empty `picket` program whose output goes to `context`; commands are added by noun. */
export function createRootCommand({ stdout, stderr }: CliContext): Command {
  const output = new Option('-o, --output <FORMAT>', 'how data is printed').choices(['table', 'json']).default('table')
  return new Command('picket')
    .description('Zero-trust sidecar mesh: SPIFFE identities, mutual TLS, Rego policy on every request.')
    .usage('COMMAND [OPTIONS]')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help for a command')
    .helpCommand('help [COMMAND]', 'print help for a command')
    .addOption(output)
    .option('--no-headers', 'tables without their header line')
    .option('-q, --quiet', 'no progress and no hints')
    .option('-v, --verbose', 'log what happens inside')
    .option('--debug', 'show what caused an error (env PICKET_DEBUG=1)')
    .exitOverride()
    .configureHelp({ showGlobalOptions: true, optionDescription })
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      outputError: (text, write) => write(`picket: ${text.replace(/^error: /, '')}`),
      getOutHelpWidth: () => stdout.columns ?? 100,
      getErrHelpWidth: () => stderr.columns ?? 100,
    })
}

/** That something is off, or empty, unless it is given needs no words. */
function optionDescription(option: Option): string {
  const isNothing = option.defaultValue === false || option.defaultValue === ''
  return isNothing ? option.description : new Help().optionDescription(option)
}

/** Ends the help of a command with lines that can be typed as they are. */
export function examples(command: Command, ...lines: readonly [string, ...string[]]): Command {
  const heading = lines.length === 1 ? 'Example:' : 'Examples:'
  return command.addHelpText('after', ['', heading, ...lines.map((line) => `  $ ${line}`)].join('\n'))
}

export function globalsOf(command: Command): GlobalOptions {
  const {
    output,
    headers,
    quiet = false,
    verbose = false,
    debug = false,
  } = command.optsWithGlobals<Partial<GlobalOptions>>()
  return { output: output ?? 'table', headers: headers ?? true, quiet, verbose, debug }
}

export function outputOf(command: Command, context: CliContext): Output {
  return createOutput(context, globalsOf(command))
}
