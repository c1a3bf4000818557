import { encodeTrustBundle, parseTrustDomain } from '@picket/identity'
import type { FederationClient, Relationship } from '@picket/rpc'
import { formatDuration } from '@picket/runtime'
import { Option, type Command } from 'commander'
import { usage } from '../arguments.ts'
import { loadBundleFile } from '../bundle-file.ts'
import type { CliContext } from '../context.ts'
import { CliError } from '../error.ts'
import { addOperatorFlags, asOperator } from '../operator.ts'
import type { Column, Listing, Output } from '../output.ts'
import { examples, globalsOf, outputOf } from '../program.ts'
import { toRelative, toTimestamp } from '../time.ts'

/** Longer than the control plane gives an endpoint, so that its verdict arrives and not a deadline of ours. */
const FETCH_DEADLINE_MS = 20_000

export function configureFederation(command: Command, context: CliContext): void {
  configureSet(command.command('set'), context)
  configureList(command.command('list'), context)
  configureShow(command.command('show'), context)
  configureRefresh(command.command('refresh'), context)
  configureDelete(command.command('delete'), context)
  examples(command, 'picket federation list', 'picket federation set --help')
}

interface SetOptions {
  readonly url: string
  readonly profile: string
  readonly endpointId: string
  readonly bundle: string | undefined
}

function configureSet(command: Command, context: CliContext): void {
  const profile = new Option('--profile <PROFILE>', 'how the endpoint proves itself')
    .choices(['https_spiffe', 'https_web'])
    .makeOptionMandatory()
  addTrustDomain(command)
    .description("fetch another trust domain's bundle from its bundle endpoint, from now on")
    .requiredOption('--url <URL>', 'its bundle endpoint, https')
    .addOption(profile)
    .option('--endpoint-id <SPIFFE_ID>', 'https_spiffe: whom the endpoint must be', '')
    .option('--bundle <FILE>', 'its bundle to begin with: PEM, SPIFFE bundle, or a bundle map that has it')
    .action(async (trustDomain: string, { url, profile: name, endpointId, bundle }: SetOptions, self: Command) => {
      const output = outputOf(self, context)
      const first = bundle === undefined ? '' : await readFirstBundle(bundle, trustDomain, output)
      const relationship = await asOperator(self, context, ({ federation }) =>
        federation.set(
          { trustDomain, url, profile: name, endpointSpiffeId: endpointId, bundle: first },
          { deadlineMs: FETCH_DEADLINE_MS },
        ),
      )
      output.list(listingOf([relationship], context))
      if (relationship.failureCode === '') return
      output.warn(`${failureOf(relationship)}; it is tried again ${nextFetchOf(relationship, context)}`)
    })
  examples(
    addOperatorFlags(command),
    'picket federation set partner.test --url https://partner.test:7403/ --profile https_spiffe' +
      ' --endpoint-id spiffe://partner.test/picket/control-plane --bundle partner.json',
    'picket federation set partner.test --url https://spiffe.partner.test/bundle.json --profile https_web',
  )
}

async function readFirstBundle(file: string, trustDomain: string, output: Output): Promise<string> {
  const { bundles, warnings } = await loadBundleFile(file, parseTrustDomain(trustDomain))
  for (const warning of warnings) output.warn(warning)
  const [bundle] = bundles
  if (!bundle) throw new CliError('ERR_INPUT', `${file} has no bundle of ${trustDomain}`)
  return encodeTrustBundle(bundle)
}

function configureList(command: Command, context: CliContext): void {
  command
    .description('list the trust domains whose bundles are fetched, and how that goes')
    .action(async (_options, self: Command) => {
      const relationships = await asOperator(self, context, ({ federation }) => federation.list())
      outputOf(self, context).list(listingOf(relationships, context))
    })
  examples(addOperatorFlags(command), 'picket federation list', 'picket federation list -o json')
}

function configureShow(command: Command, context: CliContext): void {
  addTrustDomain(command)
    .description('show one relationship; ends with 1 when its last fetch failed or it has no bundle')
    .action(async (trustDomain: string, _options, self: Command) => {
      const relationship = await asOperator(self, context, ({ federation }) => find(federation, trustDomain))
      const output = outputOf(self, context)
      const listing = listingOf([relationship], context)
      if (globalsOf(self).output === 'json') output.list(listing)
      else output.text(describe(relationship, context))
      if (relationship.failureCode !== '' || !relationship.hasBundle) context.exitCode = 1
    })
  examples(addOperatorFlags(command), 'picket federation show partner.test')
}

async function find(federation: FederationClient, trustDomain: string): Promise<Relationship> {
  const found = (await federation.list()).find((relationship) => relationship.trustDomain === trustDomain)
  if (found) return found
  throw new CliError('ERR_INPUT', `there is no relationship with ${trustDomain}: picket federation list`)
}

function configureRefresh(command: Command, context: CliContext): void {
  addTrustDomain(command)
    .description('fetch the bundle now; ends with 1 when that fails')
    .action(async (trustDomain: string, _options, self: Command) => {
      const relationship = await asOperator(self, context, ({ federation }) =>
        federation.refresh(trustDomain, { deadlineMs: FETCH_DEADLINE_MS }),
      )
      const output = outputOf(self, context)
      output.list(listingOf([relationship], context))
      if (relationship.failureCode === '') return
      output.warn(failureOf(relationship))
      context.exitCode = 1
    })
  examples(addOperatorFlags(command), 'picket federation refresh partner.test')
}

function configureDelete(command: Command, context: CliContext): void {
  addTrustDomain(command)
    .description('withdraw the bundle of a trust domain: nobody from there is trusted any more')
    .action(async (trustDomain: string, _options, self: Command) => {
      const { url } = await asOperator(self, context, ({ federation }) => federation.delete(trustDomain))
      outputOf(self, context).note(`deleted ${trustDomain}: ${url}`)
    })
  examples(addOperatorFlags(command), 'picket federation delete partner.test')
}

function addTrustDomain(command: Command): Command {
  const parse = usage((text) => parseTrustDomain(text).name)
  return command.argument('<TRUST_DOMAIN>', 'the other trust domain, such as partner.test', parse)
}

type RelationshipItem = {
  readonly trustDomain: string
  readonly url: string
  readonly profile: string
  readonly endpointSpiffeId: string | null
  readonly bundle: {
    /** Exact: it may have 64 bits. */
    readonly sequence: string
    readonly refreshHintSeconds: number
    readonly x509Authorities: number
    readonly jwtAuthorities: number
  } | null
  readonly fetchedAt: string | null
  readonly nextFetchAt: string | null
  readonly failure: { readonly code: string; readonly message: string } | null
}

function listingOf(relationships: readonly Relationship[], { clock }: CliContext): Listing<RelationshipItem> {
  return {
    kind: 'RelationshipList',
    items: relationships.map(toItem),
    columns: [
      ['TRUST DOMAIN', ({ trustDomain }) => trustDomain],
      ['PROFILE', ({ profile }) => profile],
      ['URL', ({ url }) => url],
      ['BUNDLE', ({ bundle }) => (bundle ? `sequence ${bundle.sequence}` : 'NONE')],
      ['FETCHED', ({ fetchedAt }) => toRelative(fetchedAt, clock)],
      ['NEXT', ({ nextFetchAt }) => toRelative(nextFetchAt, clock)],
      ['LAST FETCH', ({ failure }) => failure?.code.toUpperCase() ?? 'ok'],
    ],
  }
}

function toItem(relationship: Relationship): RelationshipItem {
  const { trustDomain, url, profile, endpointSpiffeId, hasBundle, failureCode: code } = relationship
  const { sequence, refreshHintSeconds, x509Authorities, jwtAuthorities } = relationship
  return {
    trustDomain,
    url,
    profile,
    endpointSpiffeId: endpointSpiffeId === '' ? null : endpointSpiffeId,
    bundle: hasBundle ? { sequence, refreshHintSeconds, x509Authorities, jwtAuthorities } : null,
    fetchedAt: toTimestamp(relationship.fetchedAtMs),
    nextFetchAt: toTimestamp(relationship.nextFetchAtMs),
    failure: code === '' ? null : { code, message: relationship.failureMessage },
  }
}

const LINES: readonly ((context: CliContext) => Column<RelationshipItem>)[] = [
  () => ['Trust domain', ({ trustDomain }) => trustDomain],
  () => ['URL', ({ url }) => url],
  () => ['Profile', ({ profile }) => profile],
  () => ['Endpoint ID', ({ endpointSpiffeId }) => endpointSpiffeId ?? ''],
  () => ['Bundle', ({ bundle }) => (bundle ? contentOf(bundle) : 'none: nobody from there is trusted')],
  ({ clock }) => [
    'Fetched',
    ({ fetchedAt }) => (fetchedAt ? `${fetchedAt} (${toRelative(fetchedAt, clock)})` : 'never'),
  ],
  ({ clock }) => ['Next fetch', ({ nextFetchAt }) => toRelative(nextFetchAt, clock)],
  () => ['Last fetch', ({ failure }) => (failure ? `failed: ${failure.code}: ${failure.message}` : 'ok')],
]

function contentOf(bundle: NonNullable<RelationshipItem['bundle']>): string {
  const { sequence, x509Authorities, jwtAuthorities, refreshHintSeconds } = bundle
  const hint =
    refreshHintSeconds === 0 ? 'no refresh hint' : `refresh hint ${formatDuration(refreshHintSeconds * 1000)}`
  return `sequence ${sequence}, ${x509Authorities} X.509 and ${jwtAuthorities} JWT authorities, ${hint}`
}

function describe(relationship: Relationship, context: CliContext): string {
  const item = toItem(relationship)
  const facts = LINES.map((line) => line(context)).map(([name, value]) => [name, value(item)] as const)
  return facts
    .flatMap(([name, value]) => (value === '' ? [] : [`${`${name}:`.padEnd(15)}${value.replaceAll(/\p{C}/gu, '?')}\n`]))
    .join('')
}

function failureOf({ trustDomain, failureCode, failureMessage }: Relationship): string {
  return `the bundle of ${trustDomain} was not fetched: ${failureMessage.replaceAll(/\p{C}/gu, '?')} (${failureCode})`
}

function nextFetchOf({ nextFetchAtMs }: Relationship, { clock }: CliContext): string {
  return toRelative(toTimestamp(nextFetchAtMs), clock)
}
