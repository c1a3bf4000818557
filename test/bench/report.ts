import { arch, cpus, release } from 'node:os'
import type { RequestTable, Row } from './request.ts'
import { renderCells } from './table.ts'

/** Where a table was made: figures compare only within one run on one machine. */
export function surroundings(): Readonly<Record<string, string>> {
  const [cpu] = cpus()
  return {
    cpu: `${cpus().length} × ${cpu?.model.trim() ?? 'unknown'}`,
    system: `${process.platform} ${release()} ${arch()}`,
    node: process.versions.node,
  }
}

const COLUMNS: readonly { readonly title: string; readonly cell: (row: Row, reference: Row | undefined) => string }[] =
  [
    { title: 'program', cell: ({ name }) => name },
    { title: 'requests/s', cell: ({ requestsPerSecond }) => requestsPerSecond.toFixed(0) },
    { title: 'p50 ms', cell: ({ p50Ms }) => p50Ms.toFixed(2) },
    { title: 'p99 ms', cell: ({ p99Ms }) => p99Ms.toFixed(2) },
    { title: 'CPU µs/request', cell: ({ cpuMicroseconds }) => cpuMicroseconds.toFixed(1) },
    { title: 'rounds', cell: ({ cpuRange: [least, most] }) => `${least.toFixed(1)}–${most.toFixed(1)}` },
    { title: '× nginx', cell: (row, nginx) => ratio(row, nginx) },
    { title: 'RSS MB', cell: ({ residentMegabytes }) => residentMegabytes.toFixed(0) },
  ]

/** The table as text: one line per program, then what each does and what was left out. */
export function renderRequestTable({ rows, leftOut }: RequestTable): string {
  const nginx = rows.find(({ name }) => name === 'nginx')
  const cells = [COLUMNS.map(({ title }) => title), ...rows.map((row) => COLUMNS.map(({ cell }) => cell(row, nginx)))]
  return [
    ...renderCells(cells),
    '',
    ...rows.map(({ name, does }) => `${name}: ${does}`),
    ...verdict(rows),
    ...leftOut.map(({ name, why }) => `left out: ${name} is missing here: ${why}`),
  ].join('\n')
}

function verdict(rows: readonly Row[]): string[] {
  const cost = (name: string): number | undefined => rows.find((row) => row.name === name)?.cpuMicroseconds
  const ours = cost('picket')
  return ['nginx', 'envoy', 'raw'].flatMap((name) => {
    const theirs = cost(name)
    return ours && theirs ? [`picket costs ${(ours / theirs).toFixed(2)} × ${name} per request`] : []
  })
}

function ratio(row: Row, reference: Row | undefined): string {
  return reference ? (row.cpuMicroseconds / reference.cpuMicroseconds).toFixed(2) : '–'
}
