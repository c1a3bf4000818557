import { spawn } from 'node:child_process'

export interface CommandOutput {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a foreign program with `input` on its standard input, for at most 60 s. */
export function runCommand(program: string, args: readonly string[], input = ''): Promise<CommandOutput> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { timeout: 60_000 })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk))
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk))
    child.stdin.on('error', () => {}) // a program that refuses early closes its input; its exit code tells
    child.once('error', reject)
    child.once('close', (code) => resolve({ code: code ?? -1, stdout, stderr }))
    child.stdin.end(input)
  })
}
