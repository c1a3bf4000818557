import { environmentOf, flagOf, type RawSetting, type Setting, type SettingsTable } from '@picket/runtime'
import { stringify } from 'yaml'
import type { Listing } from './output.ts'
import type { SettingsSources } from './settings-flags.ts'

/** One effective setting: the texts that count and where they come from. Secrets are gone. */
export type EffectiveSetting = { readonly key: string; readonly values: readonly string[]; readonly source: string }

const REDACTED = '[redacted]'

/** The settings that hold, weaker sources and unset options left out. */
export function effectiveSettings(table: SettingsTable, sources: SettingsSources): EffectiveSetting[] {
  return (Object.entries(table) as [string, Setting<unknown>][]).flatMap(([key, setting]) => {
    const raws = strongest(key, setting, sources)
    if (raws.length === 0) return []
    const counted = setting.list ? raws : raws.slice(-1)
    const values = counted.map(({ text }) => (setting.secret ? REDACTED : text))
    return [{ key, values, source: counted.at(-1)!.place }]
  })
}

function strongest(key: string, setting: Setting<unknown>, sources: SettingsSources): RawSetting[] {
  const given = sources.map((source) => source.filter((raw) => raw.key === key)).find((raws) => raws.length > 0)
  return given ?? (setting.default === undefined ? [] : [{ key, text: setting.default, place: 'default' }])
}

export function settingsListing(items: readonly EffectiveSetting[]): Listing<EffectiveSetting> {
  return {
    kind: 'SettingList',
    items,
    columns: [
      ['KEY', ({ key }) => key],
      ['VALUE', ({ values }) => values.join(' ')],
      ['SOURCE', ({ source }) => source],
    ],
  }
}

/** A file that `--config` takes back, each key with its source as a comment. */
export function settingsYaml(table: SettingsTable, items: readonly EffectiveSetting[]): string {
  const lines = items.map(({ key, values, source }) => {
    const value: unknown = (table[key] as Setting<unknown>).list ? values : values[0]
    return `# ${source}\n${stringify({ [key]: value }, { lineWidth: 0 })}`
  })
  return lines.join('')
}

/** The settings of one command as a Markdown table, for the documentation. */
export function settingsMarkdown(table: SettingsTable): string {
  const rows = (Object.entries(table) as [string, Setting<unknown>][]).map(([key, setting]) => {
    const cells = [
      `\`--${flagOf(key)} ${setting.placeholder}\``,
      `\`${environmentOf(key)}\``,
      `\`${key}\``,
      defaultCell(setting),
      setting.doc,
    ]
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  })
  return ['| Flag | Variable | File key | Default | Meaning |', '|---|---|---|---|---|', ...rows].join('\n')
}

function defaultCell(setting: Setting<unknown>): string {
  if (setting.default !== undefined) return `\`${setting.default}\``
  if (setting.list) return 'none, repeatable'
  return setting.optional ? 'none' : 'required'
}
