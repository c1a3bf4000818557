import { parseSpiffeId } from '@picket/identity'
import type { Denial, ExplainIdentityResponse, NearMiss } from '@picket/rpc'
import type { Command } from 'commander'
import { parseSelector, usage } from '../arguments.ts'
import type { CliContext } from '../context.ts'
import { addOperatorFlags, asOperator } from '../operator.ts'
import type { Listing } from '../output.ts'
import { examples, outputOf } from '../program.ts'
import { toRelative, toTimestamp } from '../time.ts'

interface Question {
  readonly spiffeId: string
  readonly facts: readonly string[]
}

export function configureExplain(command: Command, context: CliContext): void {
  const noIdentity = command
    .command('no-identity')
    .description('say why somebody gets no identity: the entry that came nearest, and what was not proved for it')
    .option(
      '--for <SPIFFE_ID|FACT,FACT…>',
      'whom: a SPIFFE ID, or facts; default the newest refusals',
      usage(parseQuestion),
    )
    .action(async (flags: { readonly for?: Question }, self: Command) => {
      const question = flags.for ?? { spiffeId: '', facts: [] }
      const answer = await asOperator(self, context, ({ admin }) => admin.explainIdentity(question))
      const output = outputOf(self, context)
      output.list(listingOf(answer, context))
      for (const id of answer.entitled) output.note(`these facts give ${id}`)
      if (answer.near.length === 0 && answer.denials.length === 0 && answer.entitled.length === 0) {
        output.note('nothing is known: no entry comes near, and nobody was refused since the control plane started')
      }
    })
  examples(command, 'picket explain no-identity --for spiffe://bank.test/payments')
  examples(
    addOperatorFlags(noIdentity),
    'picket explain no-identity',
    'picket explain no-identity --for spiffe://bank.test/payments',
    'picket explain no-identity --for k8s:ns:prod,k8s:sa:payments -o json',
  )
}

function parseQuestion(text: string): Question {
  if (text.startsWith('spiffe:')) return { spiffeId: parseSpiffeId(text).uri, facts: [] }
  return { spiffeId: '', facts: text.split(',').map((fact) => parseSelector(fact.trim())) }
}

type ExplanationItem = {
  /** When somebody was refused; null for what would be if somebody came now. */
  readonly at: string | null
  readonly spiffeId: string
  readonly entryId: string | null
  readonly evidence: string | null
  readonly remote: string | null
  readonly reason: string
  readonly proved: readonly string[]
  readonly missing: readonly string[]
}

function listingOf({ near, denials }: ExplainIdentityResponse, context: CliContext): Listing<ExplanationItem> {
  return {
    kind: 'ExplanationList',
    items: [...near.map((miss) => toItem(miss, undefined)), ...denials.flatMap(toItems)],
    columns: [
      ['WHEN', ({ at }) => (at === null ? 'now' : toRelative(at, context.clock))],
      ['SPIFFE ID', ({ spiffeId }) => spiffeId],
      ['MISSING', ({ missing }) => missing.join(' ')],
      ['REASON', ({ reason }) => reason],
      ['PROVED', ({ proved }) => proved.join(' ')],
      ['EVIDENCE', ({ evidence }) => evidence ?? ''],
      ['FROM', ({ remote }) => remote ?? ''],
    ],
  }
}

/** A refusal, with a line for each entry that came near. */
function toItems(denial: Denial): ExplanationItem[] {
  if (denial.near.length > 0) return denial.near.map((miss) => toItem(miss, denial))
  const { spiffeId, facts, message } = denial
  return [{ ...about(denial), spiffeId, entryId: null, reason: message, proved: facts, missing: [] }]
}

function toItem(
  { entryId, spiffeId, matched, missing, problem }: NearMiss,
  denial: Denial | undefined,
): ExplanationItem {
  const reason = problem === '' ? (denial?.message ?? 'not all selectors are proved') : problem
  return { ...about(denial), spiffeId, entryId, reason, proved: denial?.facts ?? matched, missing }
}

function about(denial: Denial | undefined): Pick<ExplanationItem, 'at' | 'evidence' | 'remote'> {
  if (!denial) return { at: null, evidence: null, remote: null }
  return { at: toTimestamp(denial.atMs), evidence: denial.evidence, remote: denial.remote }
}
