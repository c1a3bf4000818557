import type { CliContext } from './context.ts'

/** The version of every JSON document that the command prints. */
export const API_VERSION = 'picket/v1'

export interface OutputOptions {
  readonly output: 'table' | 'json'
  readonly headers: boolean
  readonly quiet: boolean
}

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [name: string]: JsonValue }

/** How one kind of thing is shown: the items are what `-o json` prints, the columns are read from them. */
export interface Listing<Item extends Record<string, JsonValue>> {
  /** Stable name of the document, such as `EntryList`. */
  readonly kind: string
  readonly items: readonly Item[]
  readonly columns: readonly Column<Item>[]
}

/** Upper-case header → the cell's text. */
export type Column<Item> = readonly [header: string, cell: (item: Item) => string]

/** Data goes to standard output, everything said about it to standard error. */
export interface Output {
  list<Item extends Record<string, JsonValue>>(listing: Listing<Item>): void
  /** Data that has no other form than its text: PEM, Markdown, YAML. */
  text(text: string): void
  /** Progress and hints; silent with `--quiet`. */
  note(line: string): void
  warn(line: string): void
}

export function createOutput({ stdout, stderr }: CliContext, { output, headers, quiet }: OutputOptions): Output {
  return {
    list(listing) {
      stdout.write(output === 'json' ? toJson(listing) : toTable(listing, headers))
    },
    text: (text) => stdout.write(toPrintable(text.endsWith('\n') ? text : `${text}\n`)),
    note: (line) => (quiet ? undefined : stderr.write(`${toPrintable(line)}\n`)),
    warn: (line) => stderr.write(`warning: ${toPrintable(line)}\n`),
  }
}

export function toJson<Item extends Record<string, JsonValue>>({ kind, items }: Listing<Item>): string {
  return `${JSON.stringify({ apiVersion: API_VERSION, kind, items }, null, 2)}\n`
}

/** Borderless, two spaces between columns, nothing after the last one; an empty list is its headers. */
export function toTable<Item extends Record<string, JsonValue>>(
  { items, columns }: Listing<Item>,
  headers = true,
): string {
  const rows = items.map((item) => columns.map(([, cell]) => printable(cell(item))))
  if (headers) rows.unshift(columns.map(([header]) => header))
  const widths = columns.map((_, at) => Math.max(0, ...rows.map((row) => row[at]!.length)))
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, at) => cell.padEnd(widths[at]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

/** Words from the wire must not steer the reader's terminal: control characters, but for ends of lines and tabs, become `?`. */
export function toPrintable(text: string): string {
  return text.replaceAll(/[^\P{C}\n\t]/gu, '?')
}

/** The same in one line; an empty cell is `-`. */
function printable(text: string): string {
  return text === '' ? '-' : text.replaceAll(/\p{C}/gu, '?')
}
