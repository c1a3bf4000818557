import { parseArgs } from 'node:util'
import { findProgram, PROGRAMS } from '../support/programs.ts'
import { renderRequestTable, surroundings } from './report.ts'
import { CONTESTANTS, measureRequests } from './request.ts'

/**
 * `npm run bench [-- TABLE…] [--only ROW,…] [--rounds N] [--seconds N] [--connections N] [--json]`. Prints the tables
 * named, all without a name. Exit code 1 when a contestant misbehaves, 2 when the tools of the method are missing.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string', default: '' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '6' },
    connections: { type: 'string', default: '32' },
    json: { type: 'boolean', default: false },
  },
})

const TABLES = ['request'] as const

const only = values.only.split(',').filter(Boolean)
const problems = [
  ...positionals.filter((name) => !(TABLES as readonly string[]).includes(name)).map((name) => `no table "${name}"`),
  ...only.filter((row) => CONTESTANTS.every(({ name }) => name !== row)).map((row) => `no row "${row}"`),
  ...(['rounds', 'seconds', 'connections'] as const)
    .filter((name) => !(Number.isInteger(Number(values[name])) && Number(values[name]) > 0))
    .map((name) => `--${name} is not a positive number: "${values[name]}"`),
  ...(['nginx', 'wrk'] as const)
    .filter((name) => findProgram(name) === undefined)
    .map((name) => `${name} is missing: ${PROGRAMS[name]}`),
]
if (problems.length > 0) {
  console.error(problems.join('\n'))
  process.exit(2)
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

const table = await measureRequests({
  only,
  rounds: Number(values.rounds),
  seconds: Number(values.seconds),
  connections: Number(values.connections),
  say: (line) => console.error(line),
})
if (values.json) console.log(JSON.stringify({ ...surroundings(), request: table }, undefined, 2))
else console.log(`\n${Object.values(surroundings()).join(' · ')}\n\n${renderRequestTable(table)}`)
