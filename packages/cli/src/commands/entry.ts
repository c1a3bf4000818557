import type { TrustDomain } from '@picket/identity'
import type { AdminClient, Entry } from '@picket/rpc'
import { formatDuration } from '@picket/runtime'
import type { Command } from 'commander'
import { parseIdArgument, parseSelector, parseTtlSeconds, usage, usageList } from '../arguments.ts'
import type { CliContext } from '../context.ts'
import { addOperatorFlags, asOperator } from '../operator.ts'
import type { Listing } from '../output.ts'
import { examples, outputOf } from '../program.ts'
import { toTimestamp } from '../time.ts'

interface CreateOptions {
  readonly selector: readonly string[]
  readonly ttl: number
  readonly dns: readonly string[]
  readonly service: string
  readonly hint: string
  readonly federatesWith: readonly string[]
}

export function configureEntry(command: Command, context: CliContext): void {
  configureCreate(command.command('create'), context)
  configureList(command.command('list'), context)
  configureDelete(command.command('delete'), context)
}

function configureCreate(command: Command, context: CliContext): void {
  command
    .description('say which facts lead to which SPIFFE ID')
    .argument('<SPIFFE_ID>', 'spiffe://TRUST_DOMAIN/PATH or /PATH, with {type.name} for the value of an attested fact')
    .requiredOption(
      '--selector <TYPE:VALUE>',
      'fact that must be attested, all of them (repeatable)',
      usageList(parseSelector),
    )
    .option('--ttl <DURATION>', "lifetime of the SVIDs (default: the control plane's)", usage(parseTtlSeconds), 0)
    .option('--dns <NAME>', 'DNS name in the certificate (repeatable)', usageList(String), [])
    .option('--service <NAME>', 'name in the mesh, NAME.mesh (default: the last part of the path)', '')
    .option('--hint <TEXT>', 'told to the workload beside the identity, to choose one of several by', '')
    .option(
      '--federates-with <NAME>',
      'trust domain whose bundle the workload gets (repeatable)',
      usageList(String),
      [],
    )
    .action(async (id: string, options: CreateOptions, self: Command) => {
      const { selector, ttl, dns, service, hint, federatesWith } = options
      const entry = await asOperator(self, context, ({ admin, trustDomain }) => {
        const spiffeId = id.includes('{') ? toTemplate(id, trustDomain) : parseIdArgument(id, trustDomain).uri
        return admin.createEntry({
          spiffeId,
          selectors: selector,
          ttlSeconds: ttl,
          dnsNames: dns,
          service,
          hint,
          federatesWith,
        })
      })
      outputOf(self, context).list(listingOf([entry]))
    })
  examples(
    addOperatorFlags(command),
    'picket entry create spiffe://bank.test/payments --selector service:payments',
    'picket entry create /ledger --selector service:ledger --ttl 30m --dns ledger.bank.test',
    "picket entry create '/ns/{k8s.ns}/sa/{k8s.sa}' --selector k8s:cluster:east --federates-with partner.test",
  )
}

function configureList(command: Command, context: CliContext): void {
  command.description('list the registration entries').action(async (_options, self: Command) => {
    const entries = await asOperator(self, context, ({ admin }) => listAllEntries(admin))
    outputOf(self, context).list(listingOf(entries))
  })
  examples(addOperatorFlags(command), 'picket entry list', 'picket entry list -o json')
}

/** The control plane judges it: what fills the places is known there alone. */
function toTemplate(text: string, trustDomain: TrustDomain): string {
  if (text.startsWith('/')) return `${trustDomain.id}${text}`
  return text.includes('://') ? text : `spiffe://${text}`
}

/** Every page, in order. */
export async function listAllEntries(admin: Pick<AdminClient, 'listEntries'>): Promise<Entry[]> {
  const all: Entry[] = []
  let pageToken = ''
  do {
    const page = await admin.listEntries({ pageSize: 0, pageToken })
    all.push(...page.entries)
    pageToken = page.nextPageToken
  } while (pageToken !== '')
  return all
}

function configureDelete(command: Command, context: CliContext): void {
  command
    .description('withdraw an identity: nothing is issued for it any more')
    .argument('<ENTRY_ID>', 'as in picket entry list')
    .action(async (id: string, _options, self: Command) => {
      const entry = await asOperator(self, context, ({ admin }) => admin.deleteEntry(id))
      outputOf(self, context).note(`deleted ${entry.id}: ${entry.spiffeId}`)
    })
  examples(addOperatorFlags(command), 'picket entry delete 018f6f0e-5b1c-4c2e-9a44-0d3f1f9f2b77')
}

type EntryItem = {
  readonly id: string
  readonly spiffeId: string
  readonly service: string
  readonly selectors: readonly string[]
  readonly dnsNames: readonly string[]
  readonly ttlSeconds: number
  readonly hint: string
  readonly federatesWith: readonly string[]
  readonly createdAt: string | null
  readonly updatedAt: string | null
}

function listingOf(entries: readonly Entry[]): Listing<EntryItem> {
  return {
    kind: 'EntryList',
    items: entries.map(({ createdAtMs, updatedAtMs, ...entry }) => ({
      id: entry.id,
      spiffeId: entry.spiffeId,
      service: entry.service,
      selectors: entry.selectors,
      dnsNames: entry.dnsNames,
      ttlSeconds: entry.ttlSeconds,
      hint: entry.hint,
      federatesWith: entry.federatesWith,
      createdAt: toTimestamp(createdAtMs),
      updatedAt: toTimestamp(updatedAtMs),
    })),
    columns: [
      ['ENTRY ID', ({ id }) => id],
      ['SPIFFE ID', ({ spiffeId }) => spiffeId],
      ['SERVICE', ({ service }) => service],
      ['SELECTORS', ({ selectors }) => selectors.join(' ')],
      ['TTL', ({ ttlSeconds }) => (ttlSeconds === 0 ? 'default' : formatDuration(ttlSeconds * 1000))],
      ['HINT', ({ hint }) => hint],
      ['FEDERATES WITH', ({ federatesWith }) => federatesWith.join(' ')],
    ],
  }
}
