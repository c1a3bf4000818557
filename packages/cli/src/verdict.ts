import type { Command } from 'commander'
import { usage } from './arguments.ts'
import { addTrustDomainFlag } from './bundle-file.ts'
import type { CliContext } from './context.ts'
import { parseInstant } from './instant.ts'
import { outputOf } from './program.ts'

/** What was found out about one thing that was to be verified. */
export type Verdict = {
  /** The file, or which argument it was: a token is never shown. */
  readonly subject: string
  readonly verdict: 'accepted' | 'refused'
  /** Proved: nobody's word is taken for the ID of what is refused. */
  readonly spiffeId: string | null
  readonly expiresAt: string | null
  readonly code: string | null
  readonly rule: string | null
  readonly message: string | null
}

export interface Refusal {
  readonly code: string
  readonly rule: string | null
  readonly message: string
}

export interface VerifyFlags<TrustDomain> {
  readonly bundle: string
  readonly trustDomain?: TrustDomain
  readonly at?: Date
}

export function accepted(subject: string, spiffeId: string, expiresAt: Date): Verdict {
  const none = { code: null, rule: null, message: null }
  return { subject, verdict: 'accepted', spiffeId, expiresAt: expiresAt.toISOString(), ...none }
}

export function refused(subject: string, { code, rule, message }: Refusal): Verdict {
  return { subject, verdict: 'refused', spiffeId: null, expiresAt: null, code, rule, message }
}

export function addVerifyFlags(command: Command): Command {
  return addTrustDomainFlag(
    command.requiredOption('--bundle <FILE>', 'trust bundle: PEM, SPIFFE bundle, or SPIFFE bundle map'),
  ).option('--at <INSTANT>', 'verify as if it were then, such as 2026-11-26T02:15:00Z', usage(parseInstant))
}

/** One line each; the command ends with 1 as soon as one is refused. */
export function printVerdicts(kind: string, verdicts: readonly Verdict[], self: Command, context: CliContext): void {
  outputOf(self, context).list({
    kind,
    items: verdicts,
    columns: [
      ['SUBJECT', ({ subject }) => subject],
      ['VERDICT', ({ verdict }) => verdict],
      ['SPIFFE ID', ({ spiffeId }) => spiffeId ?? ''],
      ['EXPIRES', ({ expiresAt }) => expiresAt ?? ''],
      ['RULE', ({ rule }) => rule ?? ''],
      ['WHY', ({ code, message }) => (code === null ? '' : `${message} (${code})`)],
    ],
  })
  if (verdicts.some(({ verdict }) => verdict === 'refused')) context.exitCode = 1
}
