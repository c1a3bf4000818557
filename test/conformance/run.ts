import { parseArgs, styleText } from 'node:util'
import { spiffeConformance } from './spiffe/spiffe.ts'

/**
 * `npm run conformance -- NAME…`: checks that are too long, or lean too much on foreign programs, for the test run. Prints
 * each case and the counts. Exit code 1 when a case fails, 2 when it cannot be tried.
 */
export interface ConformanceCase {
  readonly name: string
  readonly passed: boolean
  /** What was seen, for a case that failed. */
  readonly detail?: string | undefined
}

type Suite = (report: (found: ConformanceCase) => void) => Promise<void>

const SUITES: Readonly<Record<string, Suite>> = { spiffe: spiffeConformance }

const { positionals } = parseArgs({ allowPositionals: true })
const unknown = positionals.filter((name) => !Object.hasOwn(SUITES, name))
if (positionals.length === 0 || unknown.length > 0) {
  process.stderr.write(`npm run conformance -- NAME…, of ${Object.keys(SUITES).join(', ')}\n`)
  process.exit(2)
}

let failures = 0
for (const name of positionals) {
  let cases = 0
  let passed = 0
  try {
    await SUITES[name]!((found) => {
      cases += 1
      if (found.passed) passed += 1
      const mark = found.passed ? styleText('green', '✔') : styleText('red', '✖')
      const detail = found.passed || found.detail === undefined ? '' : `: ${found.detail}`
      process.stdout.write(`${mark} ${found.name}${detail}\n`)
    })
  } catch (thrown) {
    process.stderr.write(
      `${name} could not be tried: ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}\n`,
    )
    process.exitCode = 2
  }
  process.stdout.write(`${name}: ${cases} cases, ${passed} passed\n`)
  failures += cases - passed
}
if (failures > 0) process.exitCode = 1
