import type { Logger, SettingsOf, SettingsTable } from '@picket/runtime'
import type { Command } from 'commander'
import type { CliContext } from './context.ts'
import { createLogger, parseLogLevel } from './logger.ts'
import { globalsOf, outputOf } from './program.ts'
import { loadSettings, settingsSources } from './settings-flags.ts'
import { effectiveSettings, settingsListing, settingsYaml } from './settings-view.ts'
import { listenForShutdown } from './shutdown.ts'

/** What the command line adds to the settings of each daemon. */
export const loggingSettings = {
  logLevel: {
    parse: parseLogLevel,
    default: 'info',
    placeholder: 'LEVEL',
    doc: 'error, warn, info or debug; the log is JSON on standard error',
  },
} as const satisfies SettingsTable

/** A daemon as the command line sees it: stopped by its signal or its disposal. */
export interface Daemon extends AsyncDisposable {
  /** Resolves when it has stopped and drained; rejects when a part of it failed. */
  readonly closed: Promise<void>
}

/**
 * The settings of a daemon's command, or undefined when they were only to be printed. Both judge them the same way.
 * Throws `ERR_SETTINGS` with all problems.
 */
export async function daemonSettings<Table extends SettingsTable>(
  command: Command,
  context: CliContext,
  table: Table,
): Promise<SettingsOf<Table> | undefined> {
  const settings = await loadSettings(command, table, context)
  if (command.opts<{ printConfig?: boolean }>().printConfig !== true) return settings
  const items = effectiveSettings(table, await settingsSources(command, table, context))
  const output = outputOf(command, context)
  if (globalsOf(command).output === 'json') output.list(settingsListing(items))
  else output.text(settingsYaml(table, items))
  return undefined
}

export function daemonLogger(level: ReturnType<typeof parseLogLevel>, command: Command, context: CliContext): Logger {
  const stream = { write: (line: string) => context.stderr.write(line) }
  return createLogger(globalsOf(command).verbose ? 'debug' : level, context.clock, stream)
}

/** Starts a daemon and serves until SIGINT or SIGTERM, which it answers by draining; stopped before it started, 128 + n. */
export async function serve(context: CliContext, start: (signal: AbortSignal) => Promise<Daemon>): Promise<void> {
  using shutdown = listenForShutdown(context)
  try {
    await using daemon = await start(shutdown.signal)
    await daemon.closed
  } catch (thrown) {
    if (!shutdown.signal.aborted) throw thrown
    context.exitCode = shutdown.exitCode
  }
}
