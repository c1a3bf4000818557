import type { AdminClient, ResourceStatus, SidecarStatus, Status } from '@picket/rpc'
import type { Clock } from '@picket/runtime'
import type { Command } from 'commander'
import type { CliContext } from '../context.ts'
import { addOperatorFlags, asOperator } from '../operator.ts'
import type { Listing } from '../output.ts'
import { examples, globalsOf, outputOf } from '../program.ts'
import { toRelative, toTimestamp } from '../time.ts'

export function configureStatus(command: Command, context: CliContext): void {
  command.action(async (_options, self: Command) => {
    const { status, sidecars } = await asOperator(self, context, async ({ admin }) => ({
      status: await admin.getStatus(),
      sidecars: await listAllSidecars(admin),
    }))
    const output = outputOf(self, context)
    if (globalsOf(self).output === 'json') return output.list(statusDocument(status, sidecars))
    output.text(summaryOf(status, context.clock))
    output.list(sidecarListing(sidecars, context.clock))
    for (const line of troubles(sidecars)) output.text(line)
  })
  examples(addOperatorFlags(command), 'picket status', 'picket status -o json | jq .items[0].sidecars')
}

/** Every page, in order. */
async function listAllSidecars(admin: Pick<AdminClient, 'listSidecars'>): Promise<SidecarStatus[]> {
  const all: SidecarStatus[] = []
  let pageToken = ''
  do {
    const page = await admin.listSidecars({ pageSize: 0, pageToken })
    all.push(...page.sidecars)
    pageToken = page.nextPageToken
  } while (pageToken !== '')
  return all
}

function summaryOf(status: Status, clock: Clock): string {
  const facts = [
    ['Trust domain', status.trustDomain],
    ['Control plane', `${status.version}, up since ${toTimestamp(status.startedAtMs)}`],
    ['Authority', `${status.authorityKeyId}, expires ${toRelative(toTimestamp(status.authorityNotAfterMs), clock)}`],
    ['SVID keys', status.svidAlgorithm],
    ['Policy', status.policyRevision || 'none pushed yet: picket policy push FILE'],
    ['Entries', `${status.entries}, ${status.issuedSvids} SVIDs issued`],
    ['Sidecars', `${status.sidecarsConnected} connected`],
    ['Deny-list', status.revocations === 0 ? 'empty' : `${status.revocations} revoked: picket revoke --list`],
  ]
  return `${facts.map(([name, fact]) => `${`${name}:`.padEnd(15)}${fact}`).join('\n')}\n\n`
}

type SidecarItem = {
  readonly spiffeId: string
  readonly service: string
  readonly instanceId: string
  readonly advertise: string
  readonly version: string
  readonly connected: boolean
  readonly connectedAt: string | null
  readonly ready: boolean
  readonly notReadyReasons: readonly string[]
  readonly svid: {
    readonly serialNumber: string
    readonly notAfter: string | null
    readonly rotations: number
    readonly keyAlgorithm: string
    readonly authorityKeyIds: readonly string[]
  }
  readonly keyExchangeGroup: string
  readonly requests: { readonly allowed: number; readonly denied: number }
  readonly resources: readonly ResourceItem[]
}

type ResourceItem = {
  readonly kind: string
  readonly state: 'synced' | 'not-sent' | 'stale' | 'refused'
  readonly sentRevision: string
  readonly ackedRevision: string
  readonly nack: { readonly code: string; readonly message: string } | null
}

function statusDocument(
  status: Status,
  sidecars: readonly SidecarStatus[],
): Listing<Record<string, string | number | null | readonly SidecarItem[]>> {
  const { trustDomain, version, authorityKeyId, svidAlgorithm, policyRevision, entries, issuedSvids, revocations } =
    status
  const item = {
    trustDomain,
    version,
    startedAt: toTimestamp(status.startedAtMs),
    authorityKeyId,
    authorityNotAfter: toTimestamp(status.authorityNotAfterMs),
    svidAlgorithm,
    policyRevision,
    entries,
    issuedSvids,
    revocations,
    sidecars: sidecars.map(toSidecarItem),
  }
  return { kind: 'Status', items: [item], columns: [] }
}

function toSidecarItem(sidecar: SidecarStatus): SidecarItem {
  const { spiffeId, service, instanceId, advertise, version, connected, ready, notReadyReasons } = sidecar
  return {
    spiffeId,
    service,
    instanceId,
    advertise,
    version,
    connected,
    ready,
    notReadyReasons,
    connectedAt: toTimestamp(sidecar.connectedAtMs),
    svid: {
      serialNumber: sidecar.svidSerial,
      notAfter: toTimestamp(sidecar.svidNotAfterMs),
      rotations: sidecar.svidRotations,
      keyAlgorithm: sidecar.svidKeyAlgorithm,
      authorityKeyIds: sidecar.authorityKeyIds,
    },
    keyExchangeGroup: sidecar.keyExchangeGroup,
    requests: { allowed: sidecar.requestsAllowed, denied: sidecar.requestsDenied },
    resources: sidecar.resources.map(toResourceItem),
  }
}

function toResourceItem(resource: ResourceStatus): ResourceItem {
  const { kind, sentRevision, ackedRevision, nackCode: code, nackMessage: message } = resource
  return { kind, state: stateOf(resource), sentRevision, ackedRevision, nack: code === '' ? null : { code, message } }
}

function stateOf({ sentRevision, ackedRevision, nackCode }: ResourceStatus): ResourceItem['state'] {
  if (nackCode !== '') return 'refused'
  if (sentRevision === '') return 'not-sent'
  return sentRevision === ackedRevision ? 'synced' : 'stale'
}

function sidecarListing(sidecars: readonly SidecarStatus[], clock: Clock): Listing<SidecarItem> {
  return {
    kind: 'SidecarList',
    items: sidecars.map(toSidecarItem),
    columns: [
      ['SPIFFE ID', ({ spiffeId }) => spiffeId],
      ['ADDRESS', ({ advertise }) => advertise],
      ['STATE', ({ connected, ready }) => (connected ? (ready ? 'ready' : 'NOT READY') : 'DISCONNECTED')],
      ['SVID EXPIRES', ({ svid }) => toRelative(svid.notAfter, clock)],
      ['KEY', ({ svid }) => svid.keyAlgorithm],
      ['KEY EXCHANGE', ({ keyExchangeGroup }) => keyExchangeGroup],
      ['AUTHORITY', ({ svid }) => svid.authorityKeyIds.map((keyId) => keyId.slice(0, 8)).join(' ')],
      ['SYNC', ({ resources }) => syncOf(resources)],
      ['ALLOWED', ({ requests }) => String(requests.allowed)],
      ['DENIED', ({ requests }) => String(requests.denied)],
    ],
  }
}

/** `synced`, or what is not. */
function syncOf(resources: readonly ResourceItem[]): string {
  const behind = resources.filter(({ state }) => state !== 'synced').map(({ kind, state }) => `${kind} ${state}`)
  return behind.length === 0 ? 'synced' : behind.join(', ')
}

/** What somebody should look at: reasons for not being ready, updates that a sidecar refused. */
function troubles(sidecars: readonly SidecarStatus[]): string[] {
  return sidecars.flatMap(({ spiffeId, notReadyReasons, resources }) => [
    ...(notReadyReasons.length > 0 ? [`${spiffeId} is not ready: ${notReadyReasons.join(', ')}`] : []),
    ...resources
      .filter(({ nackCode }) => nackCode !== '')
      .map(({ kind, nackCode, nackMessage }) => `${spiffeId} refused the ${kind}: ${nackMessage} (${nackCode})`),
  ])
}
