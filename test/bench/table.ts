/** A finished table: the first column is text, the others are figures. */
export interface Table {
  readonly title: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
  /** Lines below it: verdicts against the targets, what was left out and why. */
  readonly notes: readonly string[]
}

export function renderTable({ title, columns, rows, notes }: Table): string {
  return [
    ...(title === '' ? [] : [title, '']),
    ...renderCells([columns, ...rows]),
    ...(notes.length > 0 ? [''] : []),
    ...notes,
  ].join('\n')
}

/** Lines of equal columns: the first to the left, figures to the right. */
export function renderCells(cells: readonly (readonly string[])[]): string[] {
  const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0)))
  const pad = (text: string, column: number): string =>
    column === 0 ? text.padEnd(widths[column]!) : text.padStart(widths[column]!)
  return cells.map((line) => line.map(pad).join('  '))
}

export function median(figures: readonly number[]): number {
  return quantile(figures, 0.5)
}

/** `share` 0.99 = the 99th percentile, by the nearest rank. */
export function quantile(figures: readonly number[], share: number): number {
  const sorted = figures.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? NaN
}
