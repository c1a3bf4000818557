import { execFile } from 'node:child_process'
import { messageOf } from '@picket/runtime'
import { PolicyError, type SourceLocation } from './error.ts'

/** A usable OPA: found by `findOpa`, its version asked. */
export interface Opa {
  readonly path: string
  /** `1.22.2` */
  readonly version: string
}

export interface OpaRun {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

const TIMEOUT_MS = 120_000
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024

/**
 * Runs OPA in `cwd`, with an empty environment: OPA takes flags from `OPA_…` variables, and a build must not depend on
 * them. Throws `ERR_OPA_FAILED` when it cannot be run at all.
 */
export function runOpa(path: string, args: readonly string[], cwd?: string): Promise<OpaRun> {
  const options = { cwd, env: {}, timeout: TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES }
  return new Promise((resolve, reject) => {
    execFile(path, args, options, (failure, stdout, stderr) => {
      const exitCode = failure === null ? 0 : failure.code
      if (typeof exitCode === 'number') return resolve({ exitCode, stdout, stderr })
      reject(new PolicyError('ERR_OPA_FAILED', `${path} did not run: ${messageOf(failure)}`, { cause: failure }))
    })
  })
}

/** Standard output as JSON; throws `ERR_OPA_FAILED` when OPA says no. */
export async function runOpaForJson(opa: Opa, args: readonly string[], cwd: string): Promise<unknown> {
  const { exitCode, stdout, stderr } = await runOpa(opa.path, args, cwd)
  if (exitCode !== 0) throw new PolicyError('ERR_OPA_FAILED', `opa ${args[0]} failed: ${firstLine(stderr || stdout)}`)
  return JSON.parse(stdout)
}

/** Rego that does not compile, as OPA tells it: `accounts.rego:12: unexpected eq token`. */
export function compileError(errors: readonly SourceLocation[]): PolicyError {
  const [first] = errors
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : ''
  const place = first?.file ? `${first.file}:${first.line}: ` : ''
  const text = `${place}${first?.message ?? 'the policy does not compile'}${more}`
  return new PolicyError('ERR_POLICY_COMPILE', text, { locations: errors })
}

interface ReportedError {
  readonly message: string
  readonly code?: string
  readonly location?: { readonly file: string; readonly row: number; readonly col: number }
  readonly details?: { readonly oneOf?: readonly string[] }
}

/** The errors of `opa check --format json`; whatever else it said comes as one error without a place. */
export function parseErrors(output: string): SourceLocation[] {
  return readErrors(output).map(({ message, code, location, details }) => ({
    file: location?.file ?? '',
    line: location?.row ?? 0,
    column: location?.col ?? 0,
    message: `${code ? `${code}: ` : ''}${message}${details?.oneOf ? ` (known: ${details.oneOf.join(', ')})` : ''}`,
  }))
}

function readErrors(output: string): readonly ReportedError[] {
  try {
    const { errors } = JSON.parse(output) as { errors?: readonly ReportedError[] }
    if (errors) return errors
  } catch {
    // not JSON: said in prose below
  }
  return [{ message: firstLine(output) }]
}

export function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? ''
}
