import { RuntimeError } from './runtime-error.ts'

/**
 * A daemon's configuration as one table: from it come the flags, the environment variables, the file's keys, the
 * defaults, the documentation and the types. Precedence: flag > environment > file > default. All problems are
 * reported at once, each with its place and the way out.
 */
export interface Setting<T> {
  /** Text of one value → the value; throws with a message that says what to write instead. */
  readonly parse: (text: string) => T
  /** Used when no source names the setting; without it the setting is required unless `optional`. */
  readonly default?: string
  readonly optional?: true
  /** May be given several times; the value is an array. */
  readonly list?: true
  /** Never shown by `--print-config`. */
  readonly secret?: true
  /** How the value is called in help: `HOST:PORT`, `FILE`, `DURATION`. */
  readonly placeholder: string
  readonly doc: string
}

// oxlint-disable-next-line typescript/no-explicit-any -- the table mixes value types; ValueOf recovers each one
export type SettingsTable = Readonly<Record<string, Setting<any>>>

type ValueOf<S> =
  S extends Setting<infer T>
    ? S extends { list: true }
      ? readonly T[]
      : S extends { optional: true }
        ? T | undefined
        : T
    : never

/** The frozen result: a key per setting, typed by its `parse`. */
export type SettingsOf<Table extends SettingsTable> = { readonly [K in keyof Table]: ValueOf<Table[K]> }

/** One raw value and where it was written: `--inbound`, `PICKET_INBOUND`, `sidecar.yaml:3`. */
export interface RawSetting {
  readonly key: string
  readonly text: string
  readonly place: string
}

/** Sources in order of precedence, first wins per key. */
export function resolveSettings<Table extends SettingsTable>(
  table: Table,
  sources: readonly (readonly RawSetting[])[],
): SettingsOf<Table> {
  const problems = sources.flat().flatMap((raw) => (Object.hasOwn(table, raw.key) ? [] : [unknownKey(table, raw)]))
  const values: Record<string, unknown> = {}
  for (const [key, setting] of Object.entries(table)) {
    const given = sources.map((source) => source.filter((raw) => raw.key === key)).find((found) => found.length > 0)
    const raws = given ?? (setting.default === undefined ? [] : [{ key, text: setting.default, place: 'default' }])
    const parsed = raws.flatMap((raw) => parseRaw(setting, raw, problems))
    if (raws.length === 0 && !setting.optional && !setting.list) {
      problems.push(`${key} is missing: give --${flagOf(key)} or ${environmentOf(key)}, or write "${key}:" in the file`)
    }
    values[key] = setting.list ? Object.freeze(parsed) : parsed.at(-1)
  }
  if (problems.length > 0) throw new RuntimeError('ERR_SETTINGS', problems.join('\n'))
  return Object.freeze(values) as SettingsOf<Table>
}

function parseRaw(setting: Setting<unknown>, raw: RawSetting, problems: string[]): unknown[] {
  try {
    return [setting.parse(raw.text)]
  } catch (thrown) {
    problems.push(`${raw.place}: ${raw.key}: ${(thrown as Error).message}`)
    return []
  }
}

function unknownKey(table: SettingsTable, { key, place }: RawSetting): string {
  const nearest = nearestName(key, Object.keys(table))
  return `${place}: unknown key "${key}"${nearest ? `: did you mean "${nearest}"?` : ''}`
}

/** `renewAtShare` → `renew-at-share`. */
export function flagOf(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** `renewAtShare` → `PICKET_RENEW_AT_SHARE`. */
export function environmentOf(key: string): string {
  return `PICKET_${flagOf(key).replaceAll('-', '_').toUpperCase()}`
}

/** The candidate with the smallest edit distance to `name`, if it is near enough to be a slip of the pen. */
export function nearestName(name: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
  const best = ranked[0]
  return best && best.distance <= Math.max(2, Math.floor(name.length / 3)) ? best.candidate : undefined
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const substitution = previous[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1)
      current.push(Math.min(substitution, previous[column]! + 1, current[column - 1]! + 1))
    }
    previous = current
  }
  return previous[b.length]!
}
