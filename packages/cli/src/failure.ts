import { codeOf, messageOf, PicketError } from '@picket/runtime'
import { inspect } from 'node:util'
import { toPrintable } from './output.ts'

/** System errors in words; the code stays for those who search for it. */
const SYSTEM_MESSAGES: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EADDRINUSE: 'the address is already in use by another process',
  EADDRNOTAVAIL: 'the address does not belong to this machine',
  EISDIR: 'a folder stands where a file is needed',
  ENOENT: 'there is no such file or folder',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'a file stands where a folder is needed',
  EROFS: 'the file system is read-only',
}

/** `sidecar.yaml:3: …` stays as it is: that is how editors and terminals find the place. */
const PLACE = /^\S+\.[a-z]+:\d+: /

/** Lines for the user: the message, each line marked; with `debug` the chain of causes and the stack of what broke. */
export function describeFailure(thrown: unknown, debug: boolean): string {
  const lines = messageFor(thrown)
    .trim()
    .split('\n')
    .map((line) => (PLACE.test(line) ? line : `picket: ${line}`))
  if (debug) lines.push(...causeLines(thrown))
  else if (!isExpected(thrown))
    lines.push('picket: this should not happen: run again with --debug to see where it broke')
  return `${toPrintable(lines.join('\n'))}\n`
}

function isExpected(thrown: unknown): boolean {
  return thrown instanceof PicketError || Object.hasOwn(SYSTEM_MESSAGES, codeOf(thrown) ?? '')
}

function messageFor(thrown: unknown): string {
  const { code, path, address, port } = thrown as NodeJS.ErrnoException & { address?: string; port?: number }
  const words = thrown instanceof PicketError || code === undefined ? undefined : SYSTEM_MESSAGES[code]
  if (words === undefined) return messageOf(thrown)
  const subject = path ?? (address === undefined ? undefined : `${address}:${port}`)
  return `${subject === undefined ? '' : `${subject}: `}${words} (${code})`
}

function causeLines(thrown: unknown): string[] {
  const lines: string[] = []
  let current = thrown
  for (let depth = 0; depth < 10 && current instanceof Error; depth++) {
    if (depth > 0) lines.push(`  caused by ${current.name}${bracketed(codeOf(current))}: ${current.message}`)
    else lines.push(`  ${current.name}${bracketed(codeOf(current))}`)
    lines.push(...(current.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line)))
    current = current.cause
  }
  if (current !== undefined && !(current instanceof Error)) lines.push(`  caused by ${inspect(current, { depth: 1 })}`)
  return lines
}

function bracketed(code: string | undefined): string {
  return code === undefined ? '' : ` [${code}]`
}
