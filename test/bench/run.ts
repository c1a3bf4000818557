import { parseArgs } from 'node:util'
import { findProgram, PROGRAMS } from '../support/programs.ts'
import { measureIdentity } from './identity/identity.ts'
import { renderRequestTable, surroundings } from './report.ts'
import { CONTESTANTS, measureRequests } from './request.ts'
import { renderTable } from './table.ts'

/**
 * `npm run bench [-- TABLE…] [--only ROW,…] [--rounds N] [--seconds N] [--connections N] [--sidecars N] [--json]`. Prints the
 * tables named, all without a name. Exit code 1 when a contestant misbehaves, 2 when the tools of the method are missing.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string', default: '' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '6' },
    connections: { type: 'string', default: '32' },
    sidecars: { type: 'string', default: '1000' },
    json: { type: 'boolean', default: false },
  },
})

const TABLES = ['request', 'identity'] as const
const wanted = new Set<string>(positionals.length > 0 ? positionals : TABLES)

const only = values.only.split(',').filter(Boolean)
const problems = [
  ...positionals.filter((name) => !(TABLES as readonly string[]).includes(name)).map((name) => `no table "${name}"`),
  ...only.filter((row) => CONTESTANTS.every(({ name }) => name !== row)).map((row) => `no row "${row}"`),
  ...(['rounds', 'seconds', 'connections', 'sidecars'] as const)
    .filter((name) => !(Number.isInteger(Number(values[name])) && Number(values[name]) > 0))
    .map((name) => `--${name} is not a positive number: "${values[name]}"`),
  ...(wanted.has('request') ? (['nginx', 'wrk'] as const) : [])
    .filter((name) => findProgram(name) === undefined)
    .map((name) => `${name} is missing: ${PROGRAMS[name]}`),
]
if (problems.length > 0) {
  console.error(problems.join('\n'))
  process.exit(2)
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

const options = {
  rounds: Number(values.rounds),
  seconds: Number(values.seconds),
  say: (line: string) => console.error(line),
}
const document: Record<string, unknown> = { ...surroundings() }
if (!values.json) console.log(`\n${Object.values(document).join(' · ')}`)

if (wanted.has('request')) {
  const table = await measureRequests({ ...options, only, connections: Number(values.connections) })
  if (values.json) document['request'] = table
  else console.log(`\n${renderRequestTable(table)}`)
}
if (wanted.has('identity')) {
  const tables = await measureIdentity({ ...options, sidecars: Number(values.sidecars) })
  if (values.json) document['identity'] = tables
  else for (const table of tables) console.log(`\n${renderTable(table)}`)
}
if (values.json) console.log(JSON.stringify(document, undefined, 2))
