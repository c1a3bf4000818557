import { PolicyError, type SourceLocation } from './error.ts'
import { compileError, firstLine, parseErrors, runOpa, type Opa } from './opa.ts'

/** What `opa test` found. */
export interface PolicyTestResult {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  /** Each failed test by full name and place. */
  readonly failures: readonly SourceLocation[]
  /** Share of the policies' lines that the tests reach, 0…100; when asked for and all tests pass. */
  readonly coverage: number | undefined
  /** OPA's own report, for people. */
  readonly output: string
}

interface ReportedTest {
  readonly location: { readonly file: string; readonly row: number; readonly col: number }
  readonly package: string
  readonly name: string
  readonly fail?: boolean
  readonly skip?: boolean
  readonly error?: unknown
}

/**
 * Runs the Rego tests of a folder. A failed test is a result; Rego that does not compile is `ERR_POLICY_COMPILE`, a folder
 * without tests `ERR_OPA_FAILED`.
 */
export async function testPolicies(
  directory: string,
  opa: Opa,
  options: { readonly coverage?: boolean } = {},
): Promise<PolicyTestResult> {
  const { exitCode, stdout, stderr } = await runOpa(opa.path, ['test', '--format', 'json', '--bundle', '.'], directory)
  if (exitCode !== 0 && exitCode !== 2) throw await whyNot(directory, opa, firstLine(stderr || stdout))
  const tests = JSON.parse(stdout) as readonly ReportedTest[]
  if (tests.length === 0) throw new PolicyError('ERR_OPA_FAILED', `there are no tests in ${directory}`)
  const failures = tests.filter(({ fail, error }) => fail === true || error !== undefined)
  const skipped = tests.filter(({ skip }) => skip === true).length
  const report = await runOpa(opa.path, ['test', '--verbose', '--bundle', '.'], directory)
  return {
    passed: tests.length - failures.length - skipped,
    failed: failures.length,
    skipped,
    failures: failures.map(({ location, package: name, name: test }) => ({
      file: location.file,
      line: location.row,
      column: location.col,
      message: `${name.replace(/^data\./, '')}.${test}`,
    })),
    coverage: options.coverage && failures.length === 0 ? await measureCoverage(directory, opa) : undefined,
    output: report.stdout,
  }
}

async function measureCoverage(directory: string, opa: Opa): Promise<number> {
  const { stdout } = await runOpa(opa.path, ['test', '--format', 'json', '--coverage', '--bundle', '.'], directory)
  return (JSON.parse(stdout) as { coverage: number }).coverage
}

/** `opa test` tells compile errors as text; `opa check` has them with their places. */
async function whyNot(directory: string, opa: Opa, otherwise: string): Promise<PolicyError> {
  const { exitCode, stdout, stderr } = await runOpa(opa.path, ['check', '--format', 'json', '--bundle', '.'], directory)
  return exitCode === 0 ? new PolicyError('ERR_OPA_FAILED', otherwise) : compileError(parseErrors(stderr || stdout))
}
