import {
  environmentOf,
  flagOf,
  resolveSettings,
  type RawSetting,
  type Setting,
  type SettingsOf,
  type SettingsTable,
} from '@picket/runtime'
import { Option, type Command } from 'commander'
import type { CliContext } from './context.ts'
import { loadSettingsFile } from './settings-file.ts'

/** Adds a flag per setting, in the table's order. */
export function addSettingsFlags(command: Command, table: SettingsTable): Command {
  for (const [key, setting] of Object.entries(table) as [string, Setting<unknown>][]) {
    const option = new Option(`--${flagOf(key)} <${setting.placeholder}>`, describe(key, setting))
    if (setting.list) option.argParser((text: string, before: string[] | undefined) => [...(before ?? []), text])
    command.addOption(option)
  }
  return command
}

/** Adds what commands with a configuration file have in common. */
export function addConfigFlags(command: Command): Command {
  return command
    .option('--config <FILE>', 'settings from a YAML or JSON file, keys as in --print-config (env PICKET_CONFIG)')
    .option('--print-config', 'print the settings as they would be used, with their sources, and end')
}

function describe(key: string, setting: Setting<unknown>): string {
  const facts = [`env ${environmentOf(key)}`]
  if (setting.default !== undefined) facts.push(`default ${setting.default}`)
  if (setting.list) facts.push('repeatable')
  return `${setting.doc} (${facts.join(', ')})`
}

/** The sources in order of precedence: flags, environment, file. */
export type SettingsSources = readonly (readonly RawSetting[])[]

/** Reads where the settings of `command` are given, without judging them. */
export async function settingsSources(
  command: Command,
  table: SettingsTable,
  { environment }: CliContext,
): Promise<SettingsSources> {
  const given: Record<string, unknown> = command.opts()
  const config = given['config'] ?? environment['PICKET_CONFIG']
  const file = typeof config === 'string' && config !== '' ? await loadSettingsFile(config) : []
  return [flagSettings(given, table), environmentSettings(environment, table), file]
}

/** Throws `ERR_SETTINGS` with all problems. */
export async function loadSettings<Table extends SettingsTable>(
  command: Command,
  table: Table,
  context: CliContext,
): Promise<SettingsOf<Table>> {
  return resolveSettings(table, await settingsSources(command, table, context))
}

function flagSettings(given: Readonly<Record<string, unknown>>, table: SettingsTable): RawSetting[] {
  return Object.keys(table).flatMap((key) =>
    [given[key] ?? []].flat().map((text) => ({ key, text: text as string, place: `--${flagOf(key)}` })),
  )
}

/** An empty variable counts as unset: that is how composed environments leave things out. */
function environmentSettings(environment: CliContext['environment'], table: SettingsTable): RawSetting[] {
  return Object.keys(table).flatMap((key) => {
    const place = environmentOf(key)
    const text = environment[place]
    return text === undefined || text === '' ? [] : [{ key, text, place }]
  })
}
